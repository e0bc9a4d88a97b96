//go:build race

package integration

// faultRace says that the race detector is on, under which everything takes several times as long.
const faultRace = true
