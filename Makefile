# make run     everything that is needed, from nothing, and then http://127.0.0.1:8000
# make test    all tests, those in a browser included
SETUP = @deploy/python deploy/setup.py

.PHONY: run setup page dev test lint bench faults-report soak mutate screenshots lock clean

run: page
	@exec .venv/bin/colloquy serve

setup:
	$(SETUP) install

page: setup
	$(SETUP) page

dev:
	$(SETUP) install --dev
	$(SETUP) page

test: dev
	$(SETUP) npm test
	@browser=$$(deploy/python deploy/setup.py browser) && \
		CHROMIUM="$$browser" exec .venv/bin/python -m pytest -n 2

lint: dev
	@.venv/bin/ruff check .
	@.venv/bin/ruff format --check .
	@.venv/bin/mypy
	@.venv/bin/lint-imports
	$(SETUP) npm run lint

bench: page
	@exec .venv/bin/python -m bench

# Break a fleet of real nodes in every way: once as a table, or on and on until Ctrl-C.
faults-report: dev
	@exec .venv/bin/python -m tests.faults report

soak: dev
	@exec .venv/bin/python -m tests.faults soak

# Break the code on purpose, in one way after the other: each must be noticed.
mutate: dev
	@exec .venv/bin/python -m tests.faults mutate

# The README's pictures, taken from the running page.
screenshots: dev
	@exec .venv/bin/python docs/screenshots.py

lock: setup
	$(SETUP) lock

# What was made here; the data directory is left alone.
clean:
	rm -rf .venv web/node_modules app/web/static build dist .*_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
