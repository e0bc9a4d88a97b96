//go:build race

package integration

// faultRace says that the race detector is on, under which everything takes several times as long. What is counted
// rather than raced for is then done less often: CI runs the same tests without it, in full.
const faultRace = true

// corpusEvery is how many recorded exchanges one is taken of. It shares no factor with the number of clients.
const corpusEvery = 7
