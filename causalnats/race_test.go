//go:build race

package causalnats_test

// hasRace says that these tests run with the race detector.
const hasRace = true
