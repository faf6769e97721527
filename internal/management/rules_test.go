package management

import (
	"testing"

	"google.golang.org/protobuf/reflect/protoreflect"

	pb "carillon/internal/managementv1"
)

// knownRules are the rules that checkRules checks, by the message that they are in.
var knownRules = map[protoreflect.FullName]bool{
	"buf.validate.FieldRules.required": true, "buf.validate.FieldRules.string": true, "buf.validate.FieldRules.int32": true,
	"buf.validate.FieldRules.enum": true, "buf.validate.StringRules.max_len": true, "buf.validate.StringRules.in": true,
	"buf.validate.Int32Rules.gte": true, "buf.validate.Int32Rules.lte": true, "buf.validate.EnumRules.defined_only": true,
}

func TestEveryRuleOfTheDefinitionIsChecked(t *testing.T) {
	seen := 0
	var walk func(field protoreflect.FullName, m protoreflect.Message)
	walk = func(field protoreflect.FullName, m protoreflect.Message) {
		m.Range(func(f protoreflect.FieldDescriptor, v protoreflect.Value) bool {
			seen++
			if !knownRules[f.FullName()] {
				t.Errorf("%s has the rule %s, which checkRules does not check", field, f.FullName())
			} else if f.Message() != nil {
				walk(field, v.Message())
			}
			return true
		})
	}
	for _, file := range []protoreflect.FileDescriptor{
		pb.File_carillon_v1_management_proto, pb.File_carillon_v1_forecast_proto, pb.File_carillon_v1_attention_proto,
	} {
		messages := file.Messages()
		for i := range messages.Len() {
			fields := messages.Get(i).Fields()
			for j := range fields.Len() {
				f := fields.Get(j)
				rules := rulesOf(f)
				if rules == nil {
					continue
				}
				walk(f.FullName(), rules.ProtoReflect())
				if n := rules.GetInt32(); n != nil && (n.GreaterThan == nil || n.LessThan == nil) {
					t.Errorf("%s has one bound, and checkRules needs both", f.FullName())
				}
			}
		}
	}
	if seen == 0 {
		t.Error("the definition has no rules: this proves nothing")
	}
}

func TestEveryMethodHasAPermission(t *testing.T) {
	methods := 0
	for _, m := range pb.Management_ServiceDesc.Methods {
		p, ok := permissions()["/"+pb.Management_ServiceDesc.ServiceName+"/"+m.MethodName]
		if _, known := verbs()[p.verb]; !ok || !known {
			t.Errorf("%s has no permission, or one with an unknown verb", m.MethodName)
		}
		methods++
	}
	if methods != len(permissions()) || len(pb.Management_ServiceDesc.Streams) > 0 {
		t.Errorf("there are %d methods and %d permissions, want as many, and no streams", methods, len(permissions()))
	}
}
