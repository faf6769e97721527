package management_test

import (
	"testing"

	"go.uber.org/goleak"
)

// TestMain fails if the tests have left a goroutine behind.
func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }
