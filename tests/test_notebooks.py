"""The notebooks run from top to bottom, say what is so, and are stored without what they print."""

import asyncio
import gc
import json
import re
import warnings
from pathlib import Path

import nbformat
import numpy as np
import pytest
from jupyter_client.kernelspec import KernelSpecManager
from jupyter_client.manager import AsyncKernelManager
from nbclient import NotebookClient

ROOT = Path(__file__).parents[1]
BOOKS = sorted((ROOT / "notebooks").glob("*.ipynb"))
NAMES = [book.stem for book in BOOKS]


def first_run(seen):
    assert seen["by_hand"] == seen["measured"]
    assert seen["bad"] == ["FAULTY-1", "FAULTY-2", "FAULTY-3"]
    assert seen["found"]
    assert "Total" in seen["text"]  # a text of its own, beside the page


def new_instrument(seen):
    values = np.array(seen["values"])
    assert (np.diff(values) < 0).all()
    assert 0 < values.min() < values.max() < 1e6
    assert seen["spread"] == pytest.approx(values[2], rel=1e-9)
    assert seen["vega"][0] < 0 < seen["vega"][-1]
    assert seen["difference"][2] > 0 > seen["difference"][-1]
    assert seen["change"] == pytest.approx(-5 * values[2], abs=1.0)


def scenarios_and_stress(seen):
    assert seen["order"] == sorted(seen["order"])
    assert seen["bounds"][0] < seen["drawn"] < seen["bounds"][1]
    assert len(set(seen["measured"])) == 5
    assert seen["lost"] == pytest.approx(seen["amount"], abs=1.0)
    assert "did you mean 'fx:GBP'?" in seen["printed"]


def value_at_risk_by_desk(seen):
    assert seen["sum"] == pytest.approx(seen["shortfall"], rel=1e-12)
    assert seen["scenarios"] == pytest.approx(seen["shortfall"], rel=1e-12)
    assert seen["total"] < seen["alone"]


def what_if(seen):
    assert seen["proof"]
    assert seen["rehung"] == 0
    assert seen["saved"] < seen["component"]
    assert seen["least"] < 1.0


def explain_the_brexit_day(seen):
    assert seen["pieces"] == seen["total"]
    assert seen["unexplained"] == 0.0
    assert seen["options"][0] == "fx:GBP"
    assert seen["ratios"]["Total"] < 1.0 < max(seen["ratios"].values())
    assert seen["single"] > seen["desk"]


# what each notebook is asked after its last cell, and what must be so
CLAIMS = {
    "01_first_run": (
        first_run,
        "by_hand=by_hand, measured=float(rg.value_at_risk(pnl)), found=again.found, text=str(report),"
        " bad=sorted(bad['trade_id'].values.tolist())",
    ),
    "02_new_instrument": (
        new_instrument,
        "values=values.tolist(), spread=spread, vega=kinds['vol'].tolist(), difference=(values - without_smile)"
        ".tolist(), change=float(after.aggregate()['base_value'][0] - book.aggregate()['base_value'][0])",
    ),
    "03_scenarios_and_stress": (
        scenarios_and_stress,
        "order=stressed.table['pnl'].values[:, 0].tolist(), bounds=bounds.values.tolist(), amount=amount,"
        " drawn=float(rg.value_at_risk(drawn)), lost=reverse.loss, printed=mistake,"
        " measured=[float(rg.value_at_risk(one.pnl())) for one in runs.values()]",
    ),
    "04_value_at_risk_by_desk": (
        value_at_risk_by_desk,
        "sum=float(component[1:].sum()), shortfall=float(es[0]), total=total, alone=float(alone.sum()),"
        " scenarios=float(-(tail.scenarios['weight'] * tail.scenarios['pnl']).sum())",
    ),
    "05_what_if": (
        what_if,
        "proof=proof, rehung=rehung.manifest['blocks']['priced'], component=component, saved=saved,"
        " least=float(curve.min() / curve[1.0])",
    ),
    "06_explain_the_brexit_day": (
        explain_the_brexit_day,
        "pieces=table['pnl'].sum('piece').values.tolist(), total=table['total'].values.tolist(),"
        " unexplained=float(np.abs(table['pnl'].sel(piece='unexplained')).sum()),"
        " options=options.abs().sort_values(ascending=False).index.tolist(), ratios=warned['loss / VaR'].to_dict(),"
        " single=float(errors['missed'].abs().max()), desk=float(abs(missed[1:]).max())",
    ),
}


def run_through(notebook, where):
    kernels = KernelSpecManager(kernel_dirs=[])  # leaves the one of the installed ipykernel, which is this Python
    kernel = AsyncKernelManager(kernel_spec_manager=kernels)
    asyncio.run(NotebookClient(notebook, km=kernel, timeout=240, resources=where).async_execute())


@pytest.fixture
def execute(tmp_path, monkeypatch):
    """Runs a notebook in this interpreter, whatever kernels are installed, and answers what it is asked at the end."""
    for name in ("IPYTHONDIR", "JUPYTER_RUNTIME_DIR", "RISKGRID_HOME"):
        monkeypatch.setenv(name, str(tmp_path / name))
    monkeypatch.setenv("PYTHONPATH", str(ROOT))

    def run(book: Path, asked: str):
        notebook = nbformat.read(book, as_version=4)
        question = f"import json\nimport numpy as np\nprint(json.dumps(dict({asked})))"
        notebook.cells.append(nbformat.v4.new_code_cell(question))
        run_through(notebook, {"metadata": {"path": str(tmp_path)}})
        with warnings.catch_warnings():
            # the client of a kernel leaves sockets open, of which else some other test would be told
            warnings.simplefilter("ignore", ResourceWarning)
            gc.collect()
        outputs = [output for cell in notebook.cells for output in cell.get("outputs", ())]
        return outputs[:-1], json.loads(outputs[-1].text)

    return run


@pytest.mark.slow
@pytest.mark.parametrize("book", BOOKS, ids=NAMES)
def test_notebook__runs_from_top_to_bottom_and_what_it_claims_is_so(book, execute, tmp_path):
    holds, asked = CLAIMS[book.stem]
    outputs, seen = execute(book, asked)
    assert [output.text for output in outputs if output.get("name") == "stderr"] == []  # where warnings go
    holds(seen)
    assert not (tmp_path / "RISKGRID_HOME").exists()  # the user's store
    shown = [output.data.get("text/html", "") for output in outputs if "data" in output]
    assert any("riskgrid fragment" in html for html in shown)
    assert sum(len(html) > 1_000_000 for html in shown) == 1  # what draws, once for all


@pytest.mark.parametrize("book", BOOKS, ids=NAMES)
def test_notebook__is_stored_without_outputs(book):
    notebook = nbformat.read(book, as_version=4)
    nbformat.validate(notebook)
    assert notebook.metadata == {
        "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
        "language_info": {"name": "python"},
    }
    assert [cell.metadata for cell in notebook.cells] == [{}] * len(notebook.cells)
    code = [cell for cell in notebook.cells if cell.cell_type == "code"]
    assert {(len(cell.outputs), cell.execution_count) for cell in code} == {(0, None)}
    assert len({cell.id for cell in notebook.cells}) == len(notebook.cells)
    assert book.read_text(encoding="utf-8") == f"{nbformat.writes(notebook)}\n"  # as Jupyter itself would save it


@pytest.mark.parametrize("book", BOOKS, ids=NAMES)
def test_notebook__links_to_files_that_are_there(book):
    notebook = nbformat.read(book, as_version=4)
    links = [link for cell in notebook.cells for link in re.findall(r"\]\(([^)]+)\)", cell.source)]
    assert [link for link in links if not (book.parent / link).exists()] == []


def test_new_instrument__takes_twenty_lines():
    (book,) = (book for book in BOOKS if "new_instrument" in book.stem)
    (defined,) = (cell.source for cell in nbformat.read(book, as_version=4).cells if "@rg.instrument" in cell.source)
    assert len([line for line in defined.splitlines() if line.strip()]) <= 20


def test_readme__lists_every_notebook():
    assert sorted(set(re.findall(r"\(notebooks/(\w+)\.ipynb\)", (ROOT / "README.md").read_text()))) == NAMES
