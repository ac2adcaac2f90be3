// Package benchmarks measures causal beside what a Go user would pick instead,
// on the same work in the same run. It has no code but tests:
//
//	go test -bench . -count 10 | tee ../docs/benchmarks/results.txt
//	go run ./report
//
// The first command measures, the second turns the results into the tables and
// charts of docs/benchmarks.
//
// Every benchmark is named Benchmark<group>/op=<operation>/lib=<library>. Events are
// made before the clock starts, each library's in its own type with the same
// content. What a library leaves out is asserted by the tests beside the
// benchmarks, where its documentation does not say it.
package benchmarks
