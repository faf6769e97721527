package connect

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"sigs.k8s.io/yaml"

	"carillon/internal/suggest"
)

// Context is a name for a server and what it takes to use it.
type Context struct {
	Name      string `json:"name"`
	Server    string `json:"server"`
	TokenFile string `json:"tokenFile,omitempty"`
	CAFile    string `json:"caFile,omitempty"`
}

// Contexts are the contexts of a person, as their file has them.
type Contexts struct {
	Current string    `json:"current,omitempty"` // name of one of All, or empty
	All     []Context `json:"contexts"`
}

// ContextsPath returns the path of the file with contexts: contexts.yaml in the directory carillon of
// $XDG_CONFIG_HOME.
func ContextsPath(env func(string) (string, bool)) (string, error) {
	if dir, _ := env("XDG_CONFIG_HOME"); dir != "" {
		return filepath.Join(dir, "carillon", "contexts.yaml"), nil
	}
	home, _ := env("HOME")
	if home == "" {
		return "", errors.New("find the file of contexts: neither XDG_CONFIG_HOME nor HOME is set: set one of them, or give --server")
	}
	return filepath.Join(home, ".config", "carillon", "contexts.yaml"), nil
}

// ReadContexts reads a file of contexts. A file that does not exist has none.
func ReadContexts(path string) (*Contexts, error) {
	c := &Contexts{}
	text, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return c, nil
	}
	if err == nil {
		err = yaml.UnmarshalStrict(text, c)
	}
	if err != nil {
		return nil, fmt.Errorf("read the contexts in %s: %w; correct the file, or remove it", path, err)
	}
	return c, nil
}

// Write writes the contexts to the file, which only its owner may read. The file has either the old contexts
// or the new ones, whatever happens meanwhile.
func (c *Contexts) Write(path string) error {
	text, err := yaml.Marshal(c)
	if err == nil {
		err = os.MkdirAll(filepath.Dir(path), 0o700)
	}
	if err == nil {
		err = replaceFile(path, text)
	}
	if err != nil {
		return fmt.Errorf("write the contexts to %s: %w", path, err)
	}
	return nil
}

// Names returns the names of all contexts.
func (c *Contexts) Names() (names []string) {
	for _, one := range c.All {
		names = append(names, one.Name)
	}
	return names
}

// Find returns the context of that name.
func (c *Contexts) Find(name string) (Context, error) {
	names := c.Names()
	if i := slices.Index(names, name); i >= 0 {
		return c.All[i], nil
	}
	hint := ""
	if near, ok := suggest.Nearest(name, names); ok {
		hint = fmt.Sprintf(" (did you mean %s?)", near)
	}
	return Context{}, fmt.Errorf("no context has the name %q%s; 'carillon context list' shows all", name, hint)
}

// Add adds a context, and makes the first one the current one. It refuses a name that is taken, and a server
// that is no URL.
func (c *Contexts) Add(added Context) error {
	switch _, err := parseServer(added.Server); {
	case added.Name == "" || strings.ContainsAny(added.Name, " \t\n"):
		return fmt.Errorf("the name %q of a context is empty or has a space: choose another", added.Name)
	case slices.Contains(c.Names(), added.Name):
		return fmt.Errorf("the context %s exists: delete it first, or choose another name", added.Name)
	case err != nil:
		return err
	}
	c.All = append(c.All, added)
	if len(c.All) == 1 {
		c.Current = added.Name
	}
	return nil
}

// Delete deletes the context of that name.
func (c *Contexts) Delete(name string) error {
	if _, err := c.Find(name); err != nil {
		return err
	}
	c.All = slices.DeleteFunc(c.All, func(one Context) bool { return one.Name == name })
	if c.Current == name {
		c.Current = ""
	}
	return nil
}

// Use makes the context of that name the current one.
func (c *Contexts) Use(name string) error {
	if _, err := c.Find(name); err != nil {
		return err
	}
	c.Current = name
	return nil
}
