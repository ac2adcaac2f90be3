// Package benchmarks compares causal with the alternatives of a Go user, on the
// same work in the same run. It has no code but tests:
//
//	go test -bench . -count 10 | tee ../docs/benchmarks/results.txt
//	go run ./report
//
// The first command measures, the second turns the results into the tables and
// charts of docs/benchmarks.
//
// Every benchmark is named Benchmark<group>/op=<operation>/lib=<library>.
// Events are created before the clock starts, each library's in its own type
// with the same content. If the documentation of a library does not say what it
// leaves out, tests beside the benchmarks assert it.
package benchmarks
