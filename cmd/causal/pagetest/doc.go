// Package pagetest drives the page of causal graph in a browser. Its tests run
// without the race detector, which finds nothing in a browser and makes builds
// slow.
package pagetest
