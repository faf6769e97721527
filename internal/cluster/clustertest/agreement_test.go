package clustertest_test

import (
	"testing"
	"testing/synctest"
	"time"

	"carillon/internal/cluster"
	"carillon/internal/cluster/clustertest"
)

func TestLeaseOfNodeThatLeftEndsItsClaims(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := clustertest.NewAgreement(1, time.Second, nil)
		left, _ := a.Join(cluster.Node{ID: "a"})
		if _, _, err := a.Claim(left, 0); err != nil {
			t.Fatal(err)
		}
		a.Leave(left)
		time.Sleep(2 * time.Second)
		a.Expire()
		next, _ := a.Join(cluster.Node{ID: "b"})
		if _, again, err := a.Claim(next, 0); err != nil || again != nil {
			t.Errorf("the claim of a node that has left, and whose lease has expired, is still held (error %v)", err)
		}
	})
}
