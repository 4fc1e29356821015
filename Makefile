# Works with GNU make 3.81, the one macOS ships.
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.PHONY: help demo serve screenshots test suite browser kernels bench image test-k8s lint format lock clean

BIN := .venv/bin
PYTEST := $(BIN)/python -m pytest --cov --cov-report= --cov-fail-under=0
IMAGE_EXTRAS := api dashboard postgres s3 plots kubernetes
export UV_SYSTEM_CERTS := 1
# empty, as if it were not set: else each of some hundred processes of a test run compiles riskgrid and the tests anew
export PYTHONDONTWRITEBYTECODE :=

help: ## Show this list
	@sed -n 's/^\([a-z][a-z0-9-]*\):.*## \(.*\)/\1|\2/p' Makefile | awk -F '|' '{ printf "make %-12s %s\n", $$1, $$2 }'

demo: .venv/.stamp ## Value the sample portfolio and write its risk report
	$(BIN)/riskgrid demo

serve: .venv/.stamp ## Serve dashboard and API on this machine, with the sample in a new store
	$(BIN)/riskgrid serve $(ARGS)

screenshots: .venv/.stamp ## Take pictures of every page, into build/screenshots and docs/images
	$(BIN)/python -m tests.browser.screenshots

test: .venv/.stamp ## Run every check: lint, tests, doctests, coverage gate
	rm -f .coverage .coverage.* .coverage-*
	$(MAKE) -j 2 lint kernels # mypy keeps one core busy for a minute and a half
	$(MAKE) -j 2 suite browser # a browser mostly waits for what it has asked for, and the suite for other things
	$(BIN)/coverage combine --quiet --append . .coverage-browser
	$(BIN)/coverage report

suite: .venv/.stamp ## Run all tests but those in a browser
	@# of three workers one mostly waits: for processes to start, leases to lapse, sockets to close
	@# each takes a third, so that what the tests of a file share is made once, and helps the others at the end
	$(PYTEST) --cov-append -n 3 --dist worksteal --ignore tests/browser

browser: .venv/.stamp ## Run the tests in a browser
	@# a browser's driver keeps an event loop running in the process that it is in, which other tests want for themselves
	COVERAGE_FILE=$(CURDIR)/.coverage-browser $(PYTEST) -q tests/browser

kernels: .venv/.stamp ## Compile the kernels, and run their tests without the compiler
	$(BIN)/riskgrid compile # else several processes compile the same loops at once
	@# measures the bodies of the compiled kernels
	NUMBA_DISABLE_JIT=1 $(PYTEST) -q -m "not slow" tests/formulas
	@# else each of three processes rewrites the asserts of all tests; what is wrong with them is said by the tests
	-$(BIN)/python -m pytest -q --collect-only > /dev/null

bench: .venv/.stamp ## Measure speed and memory
	$(BIN)/riskgrid bench $(ARGS)

image: ## Build the image of every role (IMAGE=name:tag; podman, docker or buildah)
	k8s/image/build $(IMAGE)

test-k8s: .venv/.stamp ## Show riskgrid at work on the cluster of kubectl, or on one of our own (RISKGRID_K8S=bare)
	$(BIN)/python -m tests.k8s.e2e $(ARGS)

lint: .venv/.stamp ## Check style, formatting, types and layers
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-logo

format: .venv/.stamp ## Rewrite the sources in the house format
	$(BIN)/ruff check --fix-only .
	$(BIN)/ruff format .

lock: .venv/.stamp ## Resolve pyproject.toml anew into requirements.lock (UPGRADE=1 takes newer versions)
	uv=$(BIN)/uv; [ -x $$uv ] || uv=.boot/bin/uv; \
	compile="$$uv pip compile --quiet --python $(BIN)/python --universal --generate-hashes --no-emit-index-url --no-annotate \
		--no-header --python-version 3.12"; \
	set -e; $$compile --all-extras $(if $(UPGRADE),--upgrade) pyproject.toml -o requirements.lock; \
	compile="$$compile --upgrade --constraint requirements.lock"; \
	$$compile pyproject.toml $(IMAGE_EXTRAS:%=--extra %) -o k8s/image/requirements.lock; \
	echo 'setuptools' | $$compile - -o k8s/image/build.lock; \
	printf 'moto[s3]\nflask\nflask-cors\n' | $$compile - -o tests/k8s/services/requirements.lock

clean: ## Remove everything that make made, the environment included
	rm -rf .venv .boot build dist htmlcov *.egg-info .coverage .coverage.* .coverage-* .hypothesis .import_linter_cache
	rm -rf .mypy_cache .pytest_cache .ruff_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

.venv/.stamp: requirements.lock pyproject.toml .ci/venv .ci/uv.txt
	@sh .ci/venv
	@touch $@
