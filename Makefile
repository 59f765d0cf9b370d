# Two commands do everything: make book, make test. Each target sets up .venv by itself.

PYTHON ?= python3
# Where pip takes torch from. Empty: wherever pip is set up to look. A plain install on Linux brings the CUDA build
# of several GB; give the address of PyTorch's index of CPU builds to avoid that (see README).
TORCH_INDEX ?=
WORKERS ?= 2

BIN := .venv/bin
TORCH := $(shell sed -n 's/^torch==/torch==/p' requirements.lock)
SOURCES := _config.yml $(shell find book lvutils notebooks -type f -not -path '*/__pycache__/*' -not -path '*/.*' \
	-not -path '*/thumbnails/*' -not -name gallery.md -not -name scoreboard.md -not -name status.md)
RUN_ENV := OMP_NUM_THREADS=1 OPENBLAS_NUM_THREADS=1 MKL_NUM_THREADS=1 PYTHONHASHSEED=0

.PHONY: help setup book test check lint unit notebooks lab refresh reproduce models browser lock clean
help:
	@echo "make book       build the book into _build/html"
	@echo "make test       everything that CI checks"
	@echo "make check      lint, nbval and page tests of some chapters   (SLUGS='a b')"
	@echo "make lab        open the chapters in JupyterLab"
	@echo "make refresh    execute chapters anew and store their outputs   (SLUGS='a b' for some)"
	@echo "make reproduce  execute chapters anew and report what differs   (SLUGS='a b' for some)"
	@echo "make models     train the stored models anew (takes hours)   (MODELS='a b' for some)"
	@echo "make lock       write requirements.lock from the pins of pyproject.toml"
	@echo "make clean      remove the built book"

setup: .venv/.ready
.venv/.ready: requirements.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "make: %s is Python %d.%d, expected 3.11 or newer; give PYTHON=..." % ("$(PYTHON)", *sys.version_info[:2]))'
	@echo "setting up .venv (some minutes the first time)"
	@$(PYTHON) -m venv .venv
	@$(if $(TORCH_INDEX),$(BIN)/pip install --quiet --disable-pip-version-check --index-url $(TORCH_INDEX) $(TORCH))
	@$(BIN)/pip install --quiet --disable-pip-version-check -r requirements.lock
	@$(BIN)/pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
	@touch $@

book: _build/.ready
	@echo "the book: file://$(CURDIR)/_build/html/index.html"
_build/.ready: .venv/.ready $(SOURCES)
	@$(BIN)/lvutils pages
	@$(BIN)/jupyter-book build . --all --warningiserror --keep-going --quiet
	@touch $@

test: lint book unit notebooks

lint: .venv/.ready
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check --quiet .
	@$(BIN)/lvutils lint

unit: .venv/.ready book browser
	@$(RUN_ENV) $(BIN)/python -m pytest tests -n $(WORKERS) --dist loadfile

# The author's loop: what test does, for the chapters in SLUGS alone.
check: .venv/.ready book
	@test -n "$(SLUGS)" || { echo "make check: name chapters, SLUGS='a b'" >&2; exit 2; }
	@$(BIN)/lvutils lint $(SLUGS)
	@$(RUN_ENV) $(BIN)/python -m pytest tests/test_book.py -q
	@$(RUN_ENV) LVUTILS_CHECK=1 LVUTILS_QUIET=1 $(BIN)/python -m pytest $(foreach s,$(SLUGS),$(wildcard notebooks/*/$(s).ipynb)) \
		--nbval-lax --nbval-current-env --nbval-cell-timeout 300 -n $(WORKERS) --dist loadfile

# Every chapter from a fresh kernel: the text of checked cells by nbval, recorded values against the stored results.
notebooks: .venv/.ready
	@$(RUN_ENV) LVUTILS_CHECK=1 LVUTILS_QUIET=1 $(BIN)/python -m pytest notebooks --ignore notebooks/models \
		--nbval-lax --nbval-current-env --nbval-cell-timeout 300 -n $(WORKERS) --dist loadfile

browser: .venv/.ready
	@sh tests/install_browser.sh

lab: .venv/.ready
	$(BIN)/jupyter lab --config=lvutils/press/lab/server.py notebooks

refresh: .venv/.ready
	$(BIN)/lvutils refresh --workers $(WORKERS) $(SLUGS)

reproduce: .venv/.ready
	$(BIN)/lvutils reproduce --workers $(WORKERS) $(SLUGS)

models: .venv/.ready
	$(BIN)/lvutils models --workers $(WORKERS) $(MODELS)

lock:
	$(PYTHON) -m venv _build/lock
	_build/lock/bin/python -c 'import tomllib; p = tomllib.load(open("pyproject.toml", "rb")); print(*p["project"]["dependencies"], *p["project"]["optional-dependencies"]["test"], *p["build-system"]["requires"], sep="\n")' > _build/lock/direct.txt
	_build/lock/bin/pip install --quiet -r _build/lock/direct.txt
	_build/lock/bin/pip list --format=freeze --exclude pip | sed 's/+cpu$$//' > requirements.lock

clean:
	rm -rf _build
