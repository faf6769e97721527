package pagetoken_test

import (
	"encoding/base64"
	"errors"
	"testing"

	"carillon/internal/pagetoken"
)

func TestTokenIsOfOnePositionInOneList(t *testing.T) {
	token := pagetoken.Encode([]byte("here"), "a list")
	if got, err := pagetoken.Decode(token, "a list"); err != nil || string(got) != "here" {
		t.Errorf("Decode = %q, %v", got, err)
	}
	if got, err := pagetoken.Decode("", "a list"); err != nil || got != nil {
		t.Errorf("Decode of no token = %q, %v; want the first page", got, err)
	}
	if got, err := pagetoken.Decode(token, "another list"); !errors.Is(err, pagetoken.ErrOtherList) {
		t.Errorf("Decode for another list = %q, %v", got, err)
	}
	later := base64.RawURLEncoding.EncodeToString([]byte("\x0212345678here"))
	for _, bad := range []string{token[:3], "%", token + "=", later, pagetoken.Encode(nil, "a list")} {
		if got, err := pagetoken.Decode(bad, "a list"); !errors.Is(err, pagetoken.ErrMalformed) {
			t.Errorf("Decode of %q = %q, %v; want ErrMalformed", bad, got, err)
		}
	}
}
