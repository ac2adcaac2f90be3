//go:build !race

package causalnats_test

const hasRace = false
