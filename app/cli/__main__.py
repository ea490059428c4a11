"""`python -m app.cli` does what `qrestore` does."""

from app.cli.main import main

raise SystemExit(main())
