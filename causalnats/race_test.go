//go:build race

package causalnats_test

// hasRace reports whether these tests run with the race detector.
const hasRace = true
