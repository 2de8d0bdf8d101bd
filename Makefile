# Two commands on a fresh machine (Python 3.11+, node 20+, git, make): `make demo`, `make test`.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
JS := $(shell find js -path js/node_modules -prune -o -type f -print)

.PHONY: demo lab test check js-check live bench matrix lock clean

demo: $(VENV)/.installed  ## run the quickstart against the local service, print the answers, leave build/quickstart.html
	$(BIN)/python scripts/demo.py

lab: $(VENV)/.installed  ## open the quickstart in JupyterLab
	$(BIN)/jupyter lab $(if $(filter 0,$(shell id -u)),--allow-root) notebooks/01_quickstart.ipynb

# Most tests wait for kernels, servers and browsers: more run at once than there are cores. A file's tests stay together.
test: $(VENV)/.installed test-files  ## everything CI runs
	@$(MAKE) --no-print-directory --jobs 2 --output-sync=target check js-check browser peer
	$(BIN)/python -m pytest -m "not browser and not slow and not model" -n 4 --dist loadfile --no-loadscope-reorder
	$(BIN)/python -m pytest -m "browser and not slow" -n 2 --dist loadfile

check: $(VENV)/.installed
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

js-check: $(VENV)/.installed
	cd js && npm run --silent check && npm test --silent

.PHONY: slow
slow: $(VENV)/.installed browser peer test-files  ## not part of test: further hosts, themes, sizes, faults, rounds and examples of what it covers
	HYPOTHESIS_EXAMPLES=thorough $(BIN)/python -m pytest -m "slow or hypothesis" -n 2 --dist loadfile

.PHONY: browser peer
peer: $(VENV)/.installed  ## the official SDK in an environment of its own, for the interop tests, which say why where it is missing
	-@$(BIN)/python scripts/official_sdk.py >/dev/null

browser:  ## Chromium for the browser tests, where it is missing and we may install it
	@command -v chromium-headless-shell >/dev/null || command -v chromium >/dev/null || \
	command -v chromium-browser >/dev/null || command -v google-chrome >/dev/null || \
	if [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null; then \
		export DEBIAN_FRONTEND=noninteractive; apt-get update -qq && \
		{ apt-get install -y -qq --no-install-recommends chromium-headless-shell fonts-dejavu-core >/dev/null 2>&1 || \
		apt-get install -y -qq --no-install-recommends chromium fonts-dejavu-core >/dev/null; }; \
	else echo "No Chromium here: the browser tests will be skipped (CI=true makes that a failure)." >&2; fi

.PHONY: fuzz
fuzz: test-files  ## not part of test: broken real files for every tool of the analyst that reads one; MINUTES=10 for all together
	$(BIN)/python -m tests.local_server.analyst.fuzzing --minutes $(or $(MINUTES),10)

.PHONY: test-files
test-files: $(VENV)/.installed  ## files that nobody here wrote, for the analyst's tests, into .venv/test-files: downloaded once
	$(BIN)/python scripts/test_files.py

live: $(VENV)/.installed  ## needs a key, not part of test: every API call once against the real service
	$(BIN)/python scripts/live.py

bench: $(VENV)/.installed  ## our client, the official SDK and raw httpx/websockets, side by side
	$(BIN)/python -m benchmarks

matrix: $(VENV)/.installed  ## slow, not part of test: the kernel tests under ipykernel 6.29, 7.0 and the latest, those of tables with pandas 2.2, the hand-over to msticpy
	$(BIN)/python scripts/matrix.py

.PHONY: faults
faults: $(VENV)/.installed peer  ## not part of test: every fault on our clients, in cells and on the official SDK; writes the table in tests/README.md
	$(BIN)/python -m tests.faults

.PHONY: model
model: $(VENV)/.installed  ## not part of test: the openai engine with a small real model behind llama.cpp's server, in an environment of its own
	$(BIN)/python -m pytest -m model tests/local_server/engines/test_openai_model.py

lock: $(VENV)/.installed  ## write constraints.txt anew from pyproject.toml
	$(BIN)/python scripts/lock.py

$(VENV)/.installed: constraints.txt pyproject.toml scripts/build_hook.py $(JS)
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	{ echo "Python 3.11 or newer is needed: make PYTHON=python3.11" >&2; exit 1; }
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-compile --require-hashes -r constraints.txt
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
	touch $@

clean:
	rm -rf $(VENV) .venv-official .venv-ipykernel-* .venv-pandas-* .venv-msticpy .venv-model build js/node_modules secgemini_jupyter/widgets/static
