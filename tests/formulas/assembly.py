"""What the processor is told to do by a compiled loop."""

from typing import Any


def assembly(variant: Any) -> str:
    """The machine code of a loop as it is called, as text: from the cache on disk, where that has it.

    Numba refuses to show what it found there, and to compile the row machine once more takes ten seconds. The file
    holds the optimised module too, of which the code was made.
    """
    (signature,) = variant.nopython_signatures
    library = variant.overloads[signature.args].library
    return str(library.codegen._tm.emit_assembly(library._get_module_for_linking()))
