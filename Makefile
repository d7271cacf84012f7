# make demo   the whole laboratory on the embedded sample, in minutes
# make play   a game against the demo's PGN model
# make test   all tests        make check   format, lint, types, room borders
# make results   the README's table of results, measured anew for the shipped models
# make bench-data   data preparation beside its public peers        make bench-train   training and decoding
# make bench-quality DATA=DIR   ours and a character-level GPT-2, each trained for MINUTES, judged on the same positions

VENV   ?= .venv
PYTHON ?= python3
DEMO   ?= demo
# More `--set section.key=value` for both trainings of the demo, and the size of its evaluation.
DEMO_SET       ?=
DEMO_POSITIONS ?= 500
PYTEST_FLAGS   ?=
# Whom `make results` measures, on which games, where it writes (after new weights: another folder), and how much of each.
RESULTS_MODELS    ?= $(notdir $(patsubst %/,%,$(dir $(wildcard chesslm/models/*/checkpoint.json))))
GAMES             ?= $(DEMO)/data
RESULTS           ?= $(DEMO)/results
RESULTS_SEED      ?= 0
RESULTS_POSITIONS ?= 500
RESULTS_WRITTEN   ?= 50
RESULTS_MATES     ?= 200
RESULTS_PROBED    ?= 2000
RESULTS_MATCH     ?= 4
# Where benchmarks write, on how many games, and more options.
BENCH       ?= bench
BENCH_GAMES ?= 100000
BENCH_FLAGS ?=
# A prepared folder for bench-quality, and the minutes of each training.
DATA        ?= $(DEMO)/data
MINUTES     ?= 20

BIN    := $(VENV)/bin
READY  := $(VENV)/.ready
SAMPLE := data_prep/sample/sample.pgn.zst

.PHONY: demo test check format play results bench-data bench-train bench-quality clean
.DELETE_ON_ERROR:

demo: $(DEMO)/report/index.html
	@echo
	@cat $(DEMO)/report/table.txt
	@echo "Report: $(DEMO)/report/index.html"
	@echo "Play:   make play        (or: $(BIN)/chesslm play --model $(DEMO)/runs/english)"

play: $(DEMO)/runs/pgn/run.json
	$(BIN)/chesslm play --model $(DEMO)/runs/pgn

test: $(READY)
	$(BIN)/pytest -n auto --dist worksteal $(PYTEST_FLAGS)

check: $(READY)
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports

format: $(READY)
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

bench-data: $(READY)
	$(BIN)/python -m benchmarks.bench_data --out $(BENCH) --games $(BENCH_GAMES) $(BENCH_FLAGS)

# Training and decoding beside Hugging Face models, on the demo's prepared sample, three times each: about an hour;
# needs `pip install transformers`. More options: BENCH_FLAGS (`--threads 2` takes half as long).
bench-train: $(DEMO)/.prepared
	$(BIN)/python -m benchmarks.bench_train $(DEMO)/data --out $(BENCH) $(BENCH_FLAGS)

# Quality at equal wall time; needs `pip install transformers`. More options: BENCH_FLAGS.
bench-quality: $(if $(filter $(DEMO)/data,$(DATA)),$(DEMO)/.prepared,$(READY))
	$(BIN)/python -m benchmarks.equal_time $(DATA) --out $(BENCH) --minutes $(MINUTES) \
	  --set model.context_len=1024 $(BENCH_FLAGS)

RESULTS_OF := $(RESULTS_MODELS:%=--model %)
RESULTS_ON := --games $(GAMES) --seed $(RESULTS_SEED) --force
RESULTS_BY := make results GAMES=DIR RESULTS_SEED=$(RESULTS_SEED) RESULTS_POSITIONS=$(RESULTS_POSITIONS) \
  RESULTS_WRITTEN=$(RESULTS_WRITTEN) RESULTS_MATES=$(RESULTS_MATES) RESULTS_PROBED=$(RESULTS_PROBED) \
  RESULTS_MATCH=$(RESULTS_MATCH)

# Matches that were stopped go on; everything else is measured again.
results: $(if $(filter $(DEMO)/data,$(GAMES)),$(DEMO)/.prepared) | $(READY)
	$(BIN)/chesslm eval legality $(RESULTS_OF) $(RESULTS_ON) --positions $(RESULTS_POSITIONS) --retry --cloze \
	  --completion-games $(RESULTS_WRITTEN) --free-running $(RESULTS_WRITTEN) --random-plies $(RESULTS_MATES) \
	  --json $(RESULTS)/legality.json
	$(BIN)/chesslm eval tactics $(RESULTS_OF) $(RESULTS_ON) --positions $(RESULTS_MATES) --json $(RESULTS)/tactics.json
	$(BIN)/chesslm eval probe $(RESULTS_OF) $(RESULTS_ON) --positions $(RESULTS_PROBED) --json $(RESULTS)/probe.json
	$(BIN)/chesslm eval strength $(RESULTS_OF) --seed $(RESULTS_SEED) --games-per-pair $(RESULTS_MATCH) --controls \
	  --out $(RESULTS)/match --json $(RESULTS)/strength.json --force
	$(BIN)/chesslm report $(addprefix $(RESULTS)/,legality.json tactics.json probe.json strength.json match) \
	  --out $(RESULTS)/report --readme README.md --made-by '$(RESULTS_BY)'

clean:
	rm -rf $(VENV) demo bench build dist *.egg-info

$(READY): pyproject.toml constraints.txt
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet -c constraints.txt -e '.[dev]'
	touch $@

# A stamp of our own: the folder's own files stand before the last notation is done.
$(DEMO)/.prepared: $(SAMPLE) | $(READY)
	$(BIN)/chesslm data prepare $(SAMPLE) --out $(DEMO)/data --notation pgn --notation english
	touch $@

$(DEMO)/runs/%/run.json: configs/demo-%.toml $(DEMO)/.prepared
	$(BIN)/chesslm train $< --set data.games=$(DEMO)/data --set run.out=$(DEMO)/runs/$* $(DEMO_SET)
	touch $@

$(DEMO)/legality.json: $(DEMO)/runs/pgn/run.json $(DEMO)/runs/english/run.json
	$(BIN)/chesslm eval legality --model $(DEMO)/runs/pgn --model $(DEMO)/runs/english --controls \
	  --games $(DEMO)/data --positions $(DEMO_POSITIONS) --seed 0 --json $@ --force

$(DEMO)/likelihood.json: $(DEMO)/runs/pgn/run.json $(DEMO)/runs/english/run.json
	$(BIN)/chesslm eval likelihood --model $(DEMO)/runs/pgn --model $(DEMO)/runs/english \
	  --games $(DEMO)/data --positions $(DEMO_POSITIONS) --seed 0 --json $@ --force

$(DEMO)/report/index.html: $(DEMO)/legality.json $(DEMO)/likelihood.json
	$(BIN)/chesslm report $(DEMO)/runs/pgn $(DEMO)/runs/english $^ --out $(DEMO)/report
