package integration

// faultsNotYet are the demands of the fault table that the gateway does not meet yet. A demand that is met fails the test
// until it is taken out here.
var faultsNotYet = []faultOpen{}
