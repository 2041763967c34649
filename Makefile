# `make demo` runs the main job, `make test` the tests; each sets itself up.
.DEFAULT_GOAL := help
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
# One more than there are cores: many tests wait for processes of their own. Whoever is done takes from who is not.
WORKERS ?= $(shell expr $$(getconf _NPROCESSORS_ONLN) + 1)
INSTALLED := $(VENV)/installed
# What looks at letters and pages needs Node. Without npm, its tests say that they were skipped.
CHECKERS := $(if $(shell command -v npm),checks/node_modules/installed)

.PHONY: help install demo test check serve bench chaos lock schema golden pictures words checkers clean

help: ## list the targets
	@grep -hE '^[a-z]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z]+):.*## (.*)/  make \1\t\2/' | expand -t 18

$(INSTALLED): requirements.txt pyproject.toml
	$(PYTHON) -c 'import sys; sys.exit("Python 3.11 or newer is needed; name one with PYTHON=…" if sys.version_info < (3, 11) else 0)'
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes --no-deps -r requirements.txt
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	@touch $@

install: $(INSTALLED) ## make .venv with the `newsletter` command in it

demo: $(INSTALLED) ## the main job from nothing, on sample data and the bundled sandbox
	$(BIN)/newsletter demo

checkers: checks/node_modules/installed ## install what looks at letters and pages (development only, needs npm)

checks/node_modules/installed: checks/package-lock.json
	npm ci --prefix checks --ignore-scripts --no-audit --no-fund --loglevel=error && touch $@ || { \
	  echo "The packages in checks/ could not be installed: their tests will be skipped." >&2; [ "$$CI" != true ]; }

test: $(INSTALLED) $(CHECKERS) ## all tests
	$(BIN)/python -m pytest -n $(WORKERS) --dist worksteal

check: $(INSTALLED) ## lint, format, types, who may import whom
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

serve: $(INSTALLED) ## the web pages on http://127.0.0.1:8000
	$(BIN)/newsletter db upgrade
	$(BIN)/newsletter serve

bench: $(INSTALLED) ## speed, bytes and memory of a send, of variants, of an import and of what comes back, as tables
	$(BIN)/python -m benchmarks.send
	$(BIN)/python -m benchmarks.letters
	$(BIN)/python -m benchmarks.imports
	$(BIN)/python -m benchmarks.events

chaos: $(INSTALLED) ## 20,000 readers while senders are killed and the provider's answers go wrong, on both databases
	$(BIN)/python -m benchmarks.chaos --database sqlite
	$(BIN)/python -m benchmarks.chaos --database postgresql

schema: $(INSTALLED) ## write docs/comparison.schema.json anew
	$(BIN)/python -m newsletter.comparisons.record > docs/comparison.schema.json

golden: $(INSTALLED) ## write the golden letters of the tests anew; look at the diff before committing
	UPDATE_GOLDEN=1 $(BIN)/python -m pytest -q tests/rendering

pictures: $(INSTALLED) ## take the pictures of letters and of the desk anew, of the tests and of the documents; look at them before committing
	UPDATE_PICTURES=1 $(BIN)/python -m pytest -q tests/gates/test_pictures.py
	$(BIN)/python -m tests.gates.album
	$(BIN)/python -m tests.desk.album

words: $(INSTALLED) ## bring the catalogs up to the words in code and templates; one only with DOMAIN=issue, notes or pages
	for domain in $(or $(DOMAIN),issue notes pages); do \
	  $(BIN)/pybabel --quiet extract -F locales/$$domain.cfg -k say -k many:1,2 --sort-output --no-location --omit-header \
	    --no-wrap -o locales/$$domain.pot . && \
	  for catalog in locales/*/$$domain.po; do \
	    $(BIN)/pybabel --quiet update -i locales/$$domain.pot -o $$catalog -l $$(basename $$(dirname $$catalog)) \
	      --no-wrap --no-fuzzy-matching --ignore-obsolete --omit-header || exit 1; \
	  done; rm -f locales/$$domain.pot; \
	done

lock: ## resolve requirements.txt and checks/package-lock.json anew (with hashes, naming no host)
	$(PYTHON) -m venv $(VENV)-lock
	$(VENV)-lock/bin/python -m pip install --quiet uv
	$(VENV)-lock/bin/uv pip compile pyproject.toml --extra postgres --group dev --universal --python-version 3.11 \
	  --generate-hashes --no-emit-index-url --no-emit-find-links --custom-compile-command 'make lock' --upgrade --quiet -o requirements.txt
	rm -rf $(VENV)-lock
	cd checks && npm install --package-lock-only && node lock.mjs

clean: ## remove .venv and what the tools left
	rm -rf $(VENV) $(VENV)-lock checks/node_modules .mypy_cache .ruff_cache .pytest_cache .import_linter_cache demo-week
