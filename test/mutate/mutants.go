package main

import (
	"fmt"
	"go/ast"
	"go/token"
	"go/types"
	"slices"
	"strings"
)

// A mutant is one change to the code.
type mutant struct {
	id     int    // from 1
	file   string // its name within the package
	line   int
	within string // the function
	change string // what is done
	text   string // what it is done to, in one line
}

func (m mutant) String() string {
	return fmt.Sprintf("%s:%d: %s: %s: %s", m.file, m.line, m.within, m.change, m.text)
}

// name is what equivalent.txt calls the mutant by: it has no line, so that it stays when others are added.
func (m mutant) name() string {
	return strings.Join([]string{m.file, m.within, m.change, m.text}, ": ")
}

// An insertion is text that is put into a file. A mutant puts some before and some after what it changes.
type insertion struct {
	at, from, to int // the offset, and what is changed
	before       bool
	text         string
}

// A sourceFile is one file of a package, and the mutants in it.
type sourceFile struct {
	name    string
	text    []byte
	file    *ast.File
	fset    *token.FileSet
	info    *types.Info
	next    *int // the ID of the next mutant
	within  string
	mutants []mutant
	changes []insertion
}

func (s *sourceFile) offset(p token.Pos) int { return s.fset.Position(p).Offset }

func (s *sourceFile) raw(n ast.Node) string {
	return string(s.text[s.offset(n.Pos()):s.offset(n.End())])
}

// add notes a mutant of n. In before and after, %d is its ID.
func (s *sourceFile) add(n ast.Node, change, before, after string) {
	*s.next++
	id := *s.next
	from, to := s.offset(n.Pos()), s.offset(n.End())
	if from == to {
		return
	}
	s.mutants = append(s.mutants, mutant{
		id: id, file: s.name, line: s.fset.Position(n.Pos()).Line, within: s.within, change: change,
		text: strings.Join(strings.Fields(s.raw(n)), " "),
	})
	put := func(at int, first bool, text string) {
		text = strings.ReplaceAll(text, "%d", fmt.Sprint(id))
		s.changes = append(s.changes, insertion{at, from, to, first, text})
	}
	put(from, true, before)
	put(to, false, after)
}

// mutated returns the file with all mutants.
func (s *sourceFile) mutated() []byte {
	slices.SortStableFunc(s.changes, func(a, b insertion) int {
		switch {
		case a.at != b.at:
			return a.at - b.at
		case a.before != b.before && a.before: // what ends here ends before the next begins
			return 1
		case a.before != b.before:
			return -1
		case a.before: // the larger begins first
			return (b.to - b.from) - (a.to - a.from)
		default: // and ends last; of equals, the first to begin does
			if d := (a.to - a.from) - (b.to - b.from); d != 0 {
				return d
			}
			return 1
		}
	})
	var out []byte
	last := 0
	for _, c := range s.changes {
		out = append(append(out, s.text[last:c.at]...), c.text...)
		last = c.at
	}
	return append(out, s.text[last:]...)
}

// find notes all mutants of the file.
func (s *sourceFile) find() {
	for _, d := range s.file.Decls {
		f, ok := d.(*ast.FuncDecl)
		if !ok || f.Body == nil {
			continue
		}
		if s.within = f.Name.Name; f.Recv != nil {
			s.within = strings.TrimPrefix(s.raw(f.Recv.List[0].Type), "*") + "." + s.within
		}
		s.returns(f)
		ast.Inspect(f.Body, func(n ast.Node) bool {
			switch n := n.(type) {
			case *ast.BlockStmt:
				s.statements(n.List)
			case *ast.CaseClause:
				s.statements(n.Body)
			case *ast.CommClause:
				s.statements(n.Body)
			case *ast.IfStmt:
				s.negate(n.Cond)
			case *ast.ForStmt:
				if n.Cond != nil {
					s.negate(n.Cond)
				}
			case *ast.BinaryExpr:
				s.operator(n)
			case *ast.GenDecl:
				return n.Tok != token.CONST
			}
			return true
		})
	}
}

// returns has a function of more than one statement return at once.
func (s *sourceFile) returns(f *ast.FuncDecl) {
	if len(f.Body.List) < 2 {
		return
	}
	var zero []string
	if r := f.Type.Results; r != nil && len(r.List[0].Names) == 0 {
		for _, field := range r.List {
			zero = append(zero, "*new("+s.raw(field.Type)+")")
		}
	}
	first := f.Body.List[0]
	*s.next++
	id, at := *s.next, s.offset(first.Pos())
	s.mutants = append(s.mutants, mutant{
		id: id, file: s.name, line: s.fset.Position(f.Pos()).Line, within: s.within, change: "return at once", text: "func " + f.Name.Name,
	})
	s.changes = append(s.changes, insertion{at, at, len(s.text), true, fmt.Sprintf("if mutant(%d) { return %s }\n", id, strings.Join(zero, ", "))})
}

// statements leaves out each of a list that can be.
func (s *sourceFile) statements(list []ast.Stmt) {
	for _, st := range list {
		switch st := st.(type) {
		case *ast.ExprStmt:
			if call, ok := st.X.(*ast.CallExpr); ok && s.untold(call, "panic", ".LogAttrs", ".Observe") {
				continue
			}
		case *ast.AssignStmt:
			if st.Tok == token.DEFINE {
				continue
			}
			if name, ok := st.Lhs[0].(*ast.Ident); ok && name.Name == "_" {
				continue
			}
		case *ast.DeferStmt:
			if s.untold(st.Call, ".Stop") || s.cancels(st.Call) {
				continue
			}
		case *ast.IncDecStmt, *ast.SendStmt, *ast.GoStmt:
		case *ast.BranchStmt:
			if st.Tok == token.GOTO || st.Tok == token.FALLTHROUGH {
				continue
			}
		default:
			continue
		}
		s.add(st, "leave out", "if !mutant(%d) { ", " }")
	}
}

// untold reports whether the call is of one of these functions, or methods if they begin with a
// dot: what they do no test is asked to notice, or the compiler needs to see.
func (s *sourceFile) untold(call *ast.CallExpr, names ...string) bool {
	switch f := call.Fun.(type) {
	case *ast.Ident:
		return slices.Contains(names, f.Name)
	case *ast.SelectorExpr:
		return slices.Contains(names, "."+f.Sel.Name)
	}
	return false
}

// cancels reports whether the call ends a context.
func (s *sourceFile) cancels(call *ast.CallExpr) bool {
	named, ok := s.info.Types[call.Fun].Type.(*types.Named)
	return ok && named.Obj().Pkg() != nil && named.Obj().Pkg().Path() == "context"
}

func (s *sourceFile) negate(cond ast.Expr) { s.add(cond, "negate", "(mutant(%d) != (", "))") }

// operator has another operator take the place of e's. Those of arithmetic are such that none of the two can panic.
func (s *sourceFile) operator(e *ast.BinaryExpr) {
	booleans := map[token.Token]token.Token{
		token.LSS: token.LEQ, token.LEQ: token.LSS, token.GTR: token.GEQ, token.GEQ: token.GTR,
		token.EQL: token.NEQ, token.NEQ: token.EQL, token.LAND: token.LOR, token.LOR: token.LAND,
	}
	arithmetic := map[token.Token]token.Token{token.ADD: token.SUB, token.SUB: token.ADD, token.MUL: token.ADD, token.QUO: token.MUL}
	swapped := func(op token.Token) string { return s.raw(e.X) + " " + op.String() + " " + s.raw(e.Y) }
	of := s.info.Types[e]
	if of.Value != nil {
		return // a constant
	}
	if op, ok := booleans[e.Op]; ok {
		s.add(e, e.Op.String()+" is "+op.String(), "(mutant(%d) && ("+swapped(op)+") || !mutant(%d) && (", "))")
		return
	}
	op, ok := arithmetic[e.Op]
	basic, number := of.Type.Underlying().(*types.Basic)
	if !ok || !number || basic.Info()&types.IsNumeric == 0 || !s.pure(e) {
		return
	}
	s.add(e, e.Op.String()+" is "+op.String(), "mutantPick(%d, "+swapped(op)+", ", ")")
}

// pure reports whether e may be evaluated twice.
func (s *sourceFile) pure(e ast.Expr) bool {
	pure := true
	ast.Inspect(e, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.CallExpr:
			of := s.info.Types[n.Fun]
			if name, ok := n.Fun.(*ast.Ident); !of.IsType() && (!ok || !slices.Contains([]string{"len", "cap", "min", "max"}, name.Name)) {
				pure = false
			}
		case *ast.UnaryExpr:
			pure = pure && n.Op != token.ARROW
		case *ast.FuncLit:
			pure = false
		}
		return pure
	})
	return pure
}
