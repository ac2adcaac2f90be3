module github.com/spec-kitty/causal/cmd/causal

go 1.26.0

require (
	// Flags and commands from structs, with help; no dependencies of its own.
	github.com/alecthomas/kong v1.17.0
	// How many columns a name takes in a terminal.
	github.com/clipperhouse/displaywidth v0.11.0
	// Tests only: golden files of whole runs.
	github.com/rogpeppe/go-internal v1.16.0
	github.com/spec-kitty/causal v0.0.0
	github.com/spec-kitty/causal/causalpg v0.0.0
	github.com/spec-kitty/causal/causalsqlite v0.0.0
	// Tests only: assertions.
	github.com/stretchr/testify v1.12.1
	// The script and the style of the page without what only people need.
	github.com/tdewolff/minify/v2 v2.24.25
	// Whether output goes to a terminal, and how wide that is.
	golang.org/x/term v0.48.0
	// Tests only: laws.
	pgregory.net/rapid v1.3.0
)

require (
	github.com/clipperhouse/uax29/v2 v2.7.0 // indirect
	github.com/dustin/go-humanize v1.1.0 // indirect
	github.com/gabriel-vasile/mimetype v1.4.16 // indirect
	github.com/go-playground/locales v0.14.2 // indirect
	github.com/go-playground/universal-translator v0.18.2 // indirect
	github.com/go-playground/validator/v10 v10.30.6 // indirect
	github.com/google/uuid v1.6.0 // indirect
	github.com/jackc/pgpassfile v1.0.0 // indirect
	github.com/jackc/pgservicefile v0.0.0-20240606120523-5a60cdf6a761 // indirect
	github.com/jackc/pgx/v5 v5.12.0 // indirect
	github.com/jackc/puddle/v2 v2.2.3 // indirect
	github.com/leodido/go-urn v1.5.0 // indirect
	github.com/mattn/go-isatty v0.0.24 // indirect
	github.com/ncruces/go-strftime v1.1.0 // indirect
	github.com/oklog/ulid/v2 v2.1.2 // indirect
	github.com/remyoudompheng/bigfft v0.0.0-20230129092748-24d4a6f8daec // indirect
	github.com/tdewolff/parse/v2 v2.8.20 // indirect
	go.yaml.in/yaml/v3 v3.0.5 // indirect
	golang.org/x/crypto v0.58.0 // indirect
	golang.org/x/sync v0.24.0 // indirect
	golang.org/x/sys v0.50.0 // indirect
	golang.org/x/text v0.43.0 // indirect
	golang.org/x/tools v0.52.0 // indirect
	modernc.org/libc v1.80.1 // indirect
	modernc.org/mathutil v1.7.1 // indirect
	modernc.org/memory v1.12.1 // indirect
	modernc.org/sqlite v1.62.0 // indirect
	zombiezen.com/go/sqlite v1.4.2 // indirect
)

replace (
	github.com/spec-kitty/causal => ../../
	github.com/spec-kitty/causal/causalpg => ../../causalpg
	github.com/spec-kitty/causal/causalsqlite => ../../causalsqlite
)
