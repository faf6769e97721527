package apiserver

import (
	"testing"

	"go.uber.org/goleak"
)

// TestMain fails if the tests leak a goroutine.
func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }
