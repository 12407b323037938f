# make lab   opens the tour in JupyterLab; make test checks the package and every notebook.
# Both set up .venv on their first call, and again only when requirements.lock or pyproject.toml has changed.

VENV := .venv
BIN := $(VENV)/bin
# The first Python on the path that TensorFlow supports; `make PYTHON=/path/to/python lab`, as first call, chooses another.
PYTHON ?= $(shell for p in python3 python3.13 python3.12 python3.11 python; do \
	$$p -c 'import sys; sys.exit(not (3, 11) <= sys.version_info < (3, 14))' 2>/dev/null && echo $$p && break; done)
# JupyterLab asks to be told when it runs as root, as it does in a container.
ROOT := $(if $(filter 0,$(shell id -u)),--allow-root)
UV := uv==0.13.9
PIP := python -m pip install --quiet --disable-pip-version-check
UV_PIP := uv pip install --quiet --system-certs --compile-bytecode
# $(call install,ENVIRONMENT,LOCK): by uv, in a sixth of the time, or by pip, which knows more settings of a machine.
install = { $(1)/bin/$(PIP) --require-hashes --only-binary :all: --requirement tools/install.lock && \
	$(1)/bin/$(UV_PIP) --python $(1)/bin/python --require-hashes --requirement $(2); } || \
	$(1)/bin/$(PIP) --require-hashes --requirement $(2)
PACKAGE := -n 2 --dist worksteal -m 'not slow'
NBVAL := -n 2 --dist loadfile --nbval --nbval-current-env --nbval-cell-timeout 600 notebooks

.PHONY: help lab test lint package-tests notebook-tests test-slow test-lowest test-jax test-torch numerics bench notebooks cheatsheet site site-model export test-browser lock sample clean

help:
	@echo 'make lab        open the tour in JupyterLab'
	@echo 'make test       check the package and every notebook'
	@echo 'make test-slow  what that leaves out: processes killed, many workers, many more drawn cases'
	@echo 'make notebooks  run every notebook and store its outputs'
	@echo 'make cheatsheet gather the cards of the notebooks in docs/cheatsheet.md'
	@echo 'make site       build the site from the stored notebooks, in build/site'
	@echo 'make export     each notebook as an HTML file that works offline, in build/export'
	@echo 'make test-browser  open the site and the tour in a real browser'
	@echo 'make test-lowest  the package tests with the lowest versions of what pyproject.toml names'
	@echo 'make test-jax, make test-torch  the package tests on these backends of Keras'
	@echo 'make numerics   run all tests as other processors compute'
	@echo 'make bench      measure cross-validation against other ways to do it, half an hour'
	@echo 'make lock       renew requirements.lock from pyproject.toml'
	@echo 'make sample     make data/mnist-10k.npz again from its source'
	@echo 'make clean      remove .venv and all caches'

lab: $(VENV)/.ready
	$(BIN)/python -m jupyter lab --config=tools/lab/config.py $(ROOT) $(LAB_FLAGS)

test: lint package-tests notebook-tests

lint: $(VENV)/.ready
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

package-tests: $(VENV)/.ready
	$(BIN)/python -m pytest $(PACKAGE) --cov --cov-report=term-missing:skip-covered

notebook-tests: $(VENV)/.ready
	$(BIN)/python -m pytest $(NBVAL)

# What make test leaves out: processes killed at any moment, any number of workers, many more drawn configurations.
test-slow: $(VENV)/.ready
	CONVTOUR_EXAMPLES=$${CONVTOUR_EXAMPLES:-2000} $(BIN)/python -m pytest -n 2 --dist worksteal -m 'slow or drawn'

# What pyproject.toml names, in the lowest versions that it allows, on the lowest Python.
test-lowest: build/lowest/.ready
	build/lowest/bin/python -m pytest $(PACKAGE)

build/lowest/.ready: pyproject.toml
	python3.11 -m venv --clear build/lowest
	build/lowest/bin/$(PIP) --require-hashes --requirement tools/install.lock
	build/lowest/bin/$(UV_PIP) --python build/lowest/bin/python --resolution lowest-direct \
		--editable '.[tour,dev]'
	@touch $@

# Keras on another backend: what is locked, and the backend beside it.
test-jax: build/jax/.ready
	KERAS_BACKEND=jax build/jax/bin/python -m pytest $(PACKAGE)

test-torch: build/torch/.ready
	KERAS_BACKEND=torch build/torch/bin/python -m pytest $(PACKAGE)

build/jax/.ready build/torch/.ready: build/%/.ready: requirements.lock pyproject.toml
	$(PYTHON) -m venv build/$*
	$(call install,build/$*,requirements.lock)
	build/$*/bin/$(PIP) --no-build-isolation --editable '.[$*]'
	@touch $@

# Other processors round otherwise, and lack some kernels. These runs stand for them: one thread, older instructions,
# and TensorFlow without oneDNN, as it is by itself on a processor without AVX-512.
NUMERICS := TF_NUM_INTRAOP_THREADS=1 ONEDNN_MAX_CPU_ISA=AVX2 TF_ENABLE_ONEDNN_OPTS=0 TF_ENABLE_ONEDNN_OPTS=1

numerics: $(VENV)/.ready
	@set -e; for as in $(NUMERICS); do \
		echo "== $$as"; \
		env $$as $(BIN)/python -m pytest -n 2; \
		env $$as $(BIN)/python -m pytest $(NBVAL); \
	done

# CONVTOUR_DATA=path/to/mnist.npz adds a run on all of MNIST. What cannot be installed is named as missing.
bench: $(VENV)/.bench
	$(BIN)/python tools/bench.py $(if $(CONVTOUR_DATA),--full '$(CONVTOUR_DATA)') $(BENCH_FLAGS)

$(VENV)/.bench: $(VENV)/.ready
	-$(BIN)/$(PIP) --no-build-isolation --editable '.[bench]'
	@touch $@

notebooks: $(VENV)/.ready
	$(BIN)/python tools/store_notebooks.py

# The pages of the site, in build/site; nothing is executed for them.
site: $(VENV)/.site
	$(BIN)/python tools/make_site.py

# Each notebook as one HTML file that needs no other and no network, in build/export.
export: $(VENV)/.site
	$(BIN)/python -m nbconvert --to html --config=tools/export/config.py --output-dir build/export notebooks/*.ipynb
	cp -r docs build/  # what the pages link to

# The network that reads digits on the site; CONVTOUR_DATA names all of MNIST, or the sample is what it learns from.
site-model: $(VENV)/.ready
	$(BIN)/python tools/make_site_model.py

# The site and the tour in a real browser: Debian's chromium, or another Chromium on the path.
test-browser: site
	$(BIN)/python -m pytest tests/browser

$(VENV)/.site: $(VENV)/.ready site/requirements.lock
	$(call install,$(VENV),site/requirements.lock)
	@touch $@

cheatsheet: $(VENV)/.ready
	$(BIN)/python tools/make_cheatsheet.py

# Extras stay in the lock: without them pip takes the newest release of what an extra names, and finds no hash for it.
lock:
	$(PYTHON) -m venv build/lock
	build/lock/bin/$(PIP) $(UV)
	echo '$(UV)' | build/lock/bin/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-header \
		--output-file tools/install.lock -
	build/lock/bin/uv pip compile --quiet --no-strip-extras --universal --python-version 3.11 --generate-hashes --no-header \
		--extra tour --extra dev --upgrade --output-file requirements.lock pyproject.toml
	build/lock/bin/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-header \
		--constraint requirements.lock --upgrade --output-file site/requirements.lock site/requirements.in

sample: $(VENV)/.ready
	$(BIN)/python tools/make_sample.py

clean:
	rm -rf $(VENV) build dist .coverage .hypothesis .mypy_cache .pytest_cache .ruff_cache

$(VENV)/.ready: requirements.lock pyproject.toml
	@test -n '$(PYTHON)' || { echo 'convtour needs Python 3.11, 3.12 or 3.13 on the path.'; exit 1; }
	$(PYTHON) -m venv $(VENV)
	$(call install,$(VENV),requirements.lock)
	$(BIN)/$(PIP) --no-deps --no-build-isolation --editable .
	@touch $@
