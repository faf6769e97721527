// Command generate compiles the definitions in proto and writes what the plugins of protoc make of them. With -check it
// writes nothing, and fails if a generated file is not current.
//
// It needs no protoc. Imports of other projects are resolved from the descriptors that their Go packages contain.
package main

import (
	"bytes"
	"context"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"github.com/bufbuild/protocompile"
	"github.com/bufbuild/protocompile/linker"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protodesc"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/reflect/protoregistry"
	"google.golang.org/protobuf/types/descriptorpb"
	"google.golang.org/protobuf/types/pluginpb"

	// The definitions that ours import.
	_ "buf.build/gen/go/bufbuild/protovalidate/protocolbuffers/go/buf/validate"
	_ "github.com/dapr/dapr/pkg/proto/scheduler/v1"
	_ "google.golang.org/genproto/googleapis/api/annotations"
)

// A plugin is a plugin of protoc, for some of the files.
type plugin struct {
	name      string // of the program
	parameter string
	files     func(name string) bool
}

// Whether a file is for a plugin.
func all(string) bool         { return true }
func ofService(p string) bool { return strings.HasSuffix(p, "/management.proto") }
func withService(p string) bool {
	return slices.Contains([]string{"management.proto", "bulk.proto", "peer.proto"}, path.Base(p))
}

func plugins() []plugin {
	return []plugin{
		{"protoc-gen-go", "module=carillon", all},
		{"protoc-gen-go-grpc", "module=carillon", withService},
		{"protoc-gen-grpc-gateway", "module=carillon", ofService},
		{"protoc-gen-openapiv2", "allow_merge=true,merge_file_name=internal/managementv1/openapi,openapi_naming_strategy=simple," +
			"json_names_for_fields=true,expand_slashed_path_patterns=true,enums_as_ints=false,openapi_configuration=openapi.yaml", ofService},
	}
}

func main() {
	root := flag.String("root", ".", "`directory` of the repository")
	bin := flag.String("plugins", "bin", "`directory` of the plugins")
	check := flag.Bool("check", false, "write nothing, and fail if a file is not current")
	image := flag.String("image", "", "write the compiled definitions to this `file`, too")
	only := flag.Bool("compile", false, "run no plugin")
	flag.Parse()
	if err := run(context.Background(), *root, *bin, *check, *image, *only); err != nil {
		fmt.Fprintln(os.Stderr, "generate:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, root, bin string, check bool, image string, compileOnly bool) error {
	paths, err := sources(filepath.Join(root, "proto"))
	if err != nil {
		return err
	}
	files, err := compile(ctx, filepath.Join(root, "proto"), paths)
	if err != nil {
		return err
	}
	if image != "" {
		b, err := proto.Marshal(&descriptorpb.FileDescriptorSet{File: files})
		if err != nil {
			return fmt.Errorf("encode the definitions: %w", err)
		}
		if err := os.WriteFile(image, b, 0o644); err != nil {
			return err
		}
	}
	if compileOnly {
		return nil
	}
	stale := 0
	for _, p := range plugins() {
		out, err := p.run(ctx, root, bin, paths, files)
		if err != nil {
			return err
		}
		for _, f := range out {
			target := filepath.Join(root, strings.Replace(f.GetName(), ".swagger.json", ".json", 1))
			if !check {
				if err := os.MkdirAll(filepath.Dir(target), 0o755); err != nil {
					return err
				}
				if err := os.WriteFile(target, []byte(f.GetContent()), 0o644); err != nil {
					return err
				}
				continue
			}
			if old, err := os.ReadFile(target); err != nil || string(old) != f.GetContent() {
				fmt.Fprintf(os.Stderr, "%s is not current: run make proto\n", target)
				stale++
			}
		}
	}
	if stale > 0 {
		return fmt.Errorf("%d generated files are not what proto defines", stale)
	}
	return nil
}

// sources returns the definitions below dir, in order.
func sources(dir string) (paths []string, err error) {
	found, err := filepath.Glob(filepath.Join(dir, "carillon", "*", "*.proto"))
	for _, name := range found {
		rel, err := filepath.Rel(dir, name)
		if err != nil {
			return nil, err
		}
		paths = append(paths, filepath.ToSlash(rel))
	}
	return paths, err
}

// compile returns the descriptors of the files and of what they import, each after its own imports.
func compile(ctx context.Context, dir string, paths []string) ([]*descriptorpb.FileDescriptorProto, error) {
	c := protocompile.Compiler{
		Resolver: protocompile.CompositeResolver{
			&protocompile.SourceResolver{ImportPaths: []string{dir}},
			protocompile.ResolverFunc(func(name string) (protocompile.SearchResult, error) {
				fd, err := protoregistry.GlobalFiles.FindFileByPath(name)
				return protocompile.SearchResult{Desc: fd}, err
			}),
		},
		SourceInfoMode: protocompile.SourceInfoStandard,
	}
	compiled, err := c.Compile(ctx, paths...)
	if err != nil {
		return nil, fmt.Errorf("compile: %w", err)
	}
	var files []*descriptorpb.FileDescriptorProto
	seen := map[string]bool{}
	for _, f := range compiled {
		files = appendFile(files, f, seen)
	}
	return files, nil
}

// appendFile appends f after its imports.
func appendFile(files []*descriptorpb.FileDescriptorProto, f protoreflect.FileDescriptor, seen map[string]bool) []*descriptorpb.FileDescriptorProto {
	if seen[f.Path()] {
		return files
	}
	seen[f.Path()] = true
	imports := f.Imports()
	for i := range imports.Len() {
		files = appendFile(files, imports.Get(i).FileDescriptor, seen)
	}
	if r, ok := f.(linker.Result); ok {
		return append(files, r.FileDescriptorProto())
	}
	return append(files, protodesc.ToFileDescriptorProto(f))
}

// run runs the plugin and returns the files that it makes.
func (p plugin) run(ctx context.Context, root, bin string, paths []string, files []*descriptorpb.FileDescriptorProto) ([]*pluginpb.CodeGeneratorResponse_File, error) {
	request := &pluginpb.CodeGeneratorRequest{Parameter: &p.parameter, ProtoFile: files}
	for _, name := range paths {
		if p.files(name) {
			request.FileToGenerate = append(request.FileToGenerate, name)
		}
	}
	in, err := proto.Marshal(request)
	if err != nil {
		return nil, fmt.Errorf("%s: encode the request: %w", p.name, err)
	}
	program, err := filepath.Abs(filepath.Join(bin, p.name))
	if err != nil {
		return nil, err
	}
	cmd := exec.CommandContext(ctx, program)
	cmd.Dir = filepath.Join(root, "proto")
	cmd.Stdin, cmd.Stderr = bytes.NewReader(in), os.Stderr
	out, err := cmd.Output()
	if err != nil {
		return nil, fmt.Errorf("%s: %w", p.name, err)
	}
	var response pluginpb.CodeGeneratorResponse
	if err := proto.Unmarshal(out, &response); err != nil {
		return nil, fmt.Errorf("%s: decode the response: %w", p.name, err)
	}
	if response.Error != nil {
		return nil, fmt.Errorf("%s: %s", p.name, response.GetError())
	}
	return response.GetFile(), nil
}
