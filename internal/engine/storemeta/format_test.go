package storemeta

import (
	"errors"
	"strings"
	"testing"

	"carillon/internal/engine/record"
	"carillon/internal/store"
)

func TestUnknownStoreFormatIsRefused(t *testing.T) {
	for format, want := range map[string]string{
		"": "knows only format", "\x02": "knows only format", "\x01\x02": "was made with 2 partitions and cannot be used with 1", "\x01\x01": "",
	} {
		s := openStore(t)
		var b store.Batch
		b.Put(record.FormatKey(), []byte(format))
		if err := s.Commit(t.Context(), &b); err != nil {
			t.Fatal(err)
		}
		err := CheckFormat(t.Context(), s, 1)
		var other *UnusableError
		if (want != "") != errors.As(err, &other) || want != "" && !strings.Contains(err.Error(), want) {
			t.Errorf("with the format %q: %v, want %q", format, err, want)
		}
	}
}
