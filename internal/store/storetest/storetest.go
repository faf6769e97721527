// Package storetest is the test suite of the contract of [store.Store], which every store must pass.
//
// It tests nothing beyond the contract, so that a store on one disk and a store of a cluster can both
// pass. Each store tests its further promises itself, such as surviving a power cut.
package storetest

import (
	"testing"

	"carillon/internal/store"
)

// Run tests the stores that open returns. Each must be empty, and open closes it when its test ends.
func Run(t *testing.T, open func(t *testing.T) store.Store) {
	for name, test := range map[string]func(*testing.T, store.Store){
		"Get returns what Commit put":            getReturnsWhatWasPut,
		"Get tells absent from empty":            getTellsAbsentFromEmpty,
		"Get of no keys is empty":                getOfNothing,
		"Get gives values away":                  getGivesValuesAway,
		"Commit overwrites and removes":          commitOverwritesAndRemoves,
		"Commit of nothing is fine":              commitOfNothing,
		"Commit keeps no slice of the caller":    commitKeepsNoSlice,
		"Commit carries MaxBatch writes":         commitCarriesMaxBatch,
		"Commit carries a value of 2 MB":         commitCarriesALargeValue,
		"Commit is all or nothing to a Get":      commitIsAtomic,
		"a batch serves again after Commit":      batchServesAgain,
		"Scan is in the order of bytes":          scanIsInOrder,
		"Scan keeps to its bounds":               scanKeepsToItsBounds,
		"Scan keeps to its limit":                scanKeepsToItsLimit,
		"Scan finds a prefix":                    scanFindsAPrefix,
		"Scan tells empty values":                scanYieldsEmptyValues,
		"Scan may be left early":                 scanMayBeLeftEarly,
		"Scan serves again":                      scanServesAgain,
		"Scan goes on while others write":        scanWhileOthersWrite,
		"a call may be made within a Scan":       callWithinAScan,
		"a cancelled context ends every call":    cancelledContext,
		"a context cancelled midway ends Scan":   cancelledMidway,
		"all may be used at once":                concurrentUse,
		"it agrees with a map, whatever is done": agreesWithAMap,
	} {
		t.Run(name, func(t *testing.T) { test(t, open(t)) })
	}
}
