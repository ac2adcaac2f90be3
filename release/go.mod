module github.com/spec-kitty/causal/release

go 1.26.0

tool golang.org/x/exp/cmd/apidiff // the changes of an API

require (
	// Recognizes licenses by their texts.
	github.com/google/licensecheck v0.3.1
	// Edits go.mod files, and orders versions.
	golang.org/x/mod v0.42.0
)

require github.com/stretchr/testify v1.12.1

require (
	go.yaml.in/yaml/v3 v3.0.5 // indirect
	golang.org/x/exp v0.0.0-20260824195058-e88cd73687aa // indirect
	golang.org/x/sync v0.23.0 // indirect
	golang.org/x/tools v0.51.0 // indirect
)
