package management

import (
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"

	"buf.build/gen/go/bufbuild/protovalidate/protocolbuffers/go/buf/validate"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
)

// checkRules checks the fields of a request by the annotations of the definition: the rules of
// protovalidate that the definition uses. A test fails if it uses another one.
func checkRules(m proto.Message) error {
	r := m.ProtoReflect()
	fields := r.Descriptor().Fields()
	for i := range fields.Len() {
		f := fields.Get(i)
		if why := checkField(f, rulesOf(f), r); why != "" {
			return invalid(f.JSONName(), why)
		}
	}
	return nil
}

// rulesOf returns the rules of a field; nil if it has none.
func rulesOf(f protoreflect.FieldDescriptor) *validate.FieldRules {
	if !proto.HasExtension(f.Options(), validate.E_Field) {
		return nil
	}
	rules, _ := proto.GetExtension(f.Options(), validate.E_Field).(*validate.FieldRules)
	return rules
}

// checkField returns what is wrong with a field of r, or "".
func checkField(f protoreflect.FieldDescriptor, rules *validate.FieldRules, r protoreflect.Message) string {
	if rules.GetRequired() && !r.Has(f) {
		return "it is missing"
	}
	v := r.Get(f)
	if text := rules.GetString(); text != nil {
		s := v.String()
		if text.MaxLen != nil && uint64(utf8.RuneCountInString(s)) > text.GetMaxLen() {
			return fmt.Sprintf("it may have %d characters at most", text.GetMaxLen())
		}
		if len(text.GetIn()) > 0 && !slices.Contains(text.GetIn(), s) {
			return fmt.Sprintf("%q is not known: use one of %s", s, strings.Join(nonempty(text.GetIn()), ", "))
		}
	}
	if n := rules.GetInt32(); n != nil {
		if v.Int() < int64(n.GetGte()) || v.Int() > int64(n.GetLte()) {
			return fmt.Sprintf("it must be from %d to %d", n.GetGte(), n.GetLte())
		}
	}
	if rules.GetEnum().GetDefinedOnly() && f.Enum().Values().ByNumber(v.Enum()) == nil {
		return fmt.Sprintf("the value %d is not known", v.Enum())
	}
	return ""
}

func nonempty(all []string) []string {
	return slices.DeleteFunc(slices.Clone(all), func(s string) bool { return s == "" })
}
