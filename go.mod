module github.com/spec-kitty/causal

go 1.26.0

require (
	// Validation rules; its types never leave the package.
	github.com/go-playground/validator/v10 v10.30.6
	// Event IDs.
	github.com/oklog/ulid/v2 v2.1.2
	// Tests only: assertions.
	github.com/stretchr/testify v1.12.1
	// Tests only: properties and state machines.
	pgregory.net/rapid v1.3.0
)

require (
	github.com/gabriel-vasile/mimetype v1.4.16 // indirect
	github.com/go-playground/locales v0.14.2 // indirect
	github.com/go-playground/universal-translator v0.18.2 // indirect
	github.com/leodido/go-urn v1.5.0 // indirect
	go.yaml.in/yaml/v3 v3.0.5 // indirect
	golang.org/x/crypto v0.58.0 // indirect
	golang.org/x/sys v0.49.0 // indirect
	golang.org/x/text v0.43.0 // indirect
)
