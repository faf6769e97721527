package limits_test

import (
	"testing"
	"testing/synctest"
	"time"

	"carillon/internal/limits"
	"carillon/internal/memnet"
)

func TestConnectionsAreAcceptedAtTheRate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		memory := memnet.Listen()
		l := limits.AcceptRate(memory, 10)
		defer l.Close()
		go func() {
			for range 35 {
				if _, err := memory.DialContext(t.Context()); err != nil {
					t.Error(err)
				}
			}
		}()
		began := time.Now()
		for i := range 35 {
			if _, err := l.Accept(); err != nil {
				t.Fatal(err)
			}
			if took := time.Since(began).Round(time.Millisecond); i < 10 && took > 0 || i >= 10 && took != time.Duration(i-9)*100*time.Millisecond {
				t.Errorf("connection %d was taken after %v: want ten at once, and ten a second", i, took)
			}
		}
	})
}
