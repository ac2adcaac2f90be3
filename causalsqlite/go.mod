module github.com/spec-kitty/causal/causalsqlite

go 1.26.0

require (
	// Tests only: whether a history of calls is linearizable.
	github.com/anishathalye/porcupine v1.3.1
	github.com/spec-kitty/causal v0.0.0
	// Tests only: assertions.
	github.com/stretchr/testify v1.12.1
	// The identity of a file on Linux, without asking for its times.
	golang.org/x/sys v0.49.0
	// Tests only: runs that it makes up and shortens.
	pgregory.net/rapid v1.3.0
	// SQLite's interface in Go; its types never leave the package.
	zombiezen.com/go/sqlite v1.4.2
)

// SQLite itself, translated to Go: newer than the driver asks for.
require modernc.org/sqlite v1.62.0 // indirect

require (
	github.com/dustin/go-humanize v1.1.0 // indirect
	github.com/gabriel-vasile/mimetype v1.4.16 // indirect
	github.com/go-playground/locales v0.14.2 // indirect
	github.com/go-playground/universal-translator v0.18.2 // indirect
	github.com/go-playground/validator/v10 v10.30.6 // indirect
	github.com/google/go-cmp v0.7.0 // indirect
	github.com/google/uuid v1.6.0 // indirect
	github.com/leodido/go-urn v1.5.0 // indirect
	github.com/mattn/go-isatty v0.0.24 // indirect
	github.com/ncruces/go-strftime v1.1.0 // indirect
	github.com/oklog/ulid/v2 v2.1.2 // indirect
	github.com/remyoudompheng/bigfft v0.0.0-20230129092748-24d4a6f8daec // indirect
	go.yaml.in/yaml/v3 v3.0.5 // indirect
	golang.org/x/crypto v0.58.0 // indirect
	golang.org/x/text v0.43.0 // indirect
	modernc.org/libc v1.80.1 // indirect
	modernc.org/mathutil v1.7.1 // indirect
	modernc.org/memory v1.12.1 // indirect
)

// For building inside the repository; importers ignore it.
replace github.com/spec-kitty/causal => ../
