package flagvalue

import (
	"fmt"
	"slices"
	"strings"
)

// Choice is the value of a flag that takes one of a few words.
type Choice struct {
	value *string
	words []string
}

// NewChoice returns the value of a flag that sets p to one of words. The first is the default.
func NewChoice(p *string, words ...string) *Choice {
	*p = words[0]
	return &Choice{p, words}
}

func (c *Choice) String() string {
	if c.value == nil {
		return ""
	}
	return *c.value
}

// Set sets c to value, if that is one of its words.
func (c *Choice) Set(value string) error {
	if !slices.Contains(c.words, value) {
		return fmt.Errorf("it must be %s", strings.Join(c.words, " or "))
	}
	*c.value = value
	return nil
}

// Type is the placeholder of the value in help.
func (*Choice) Type() string { return "word" }
