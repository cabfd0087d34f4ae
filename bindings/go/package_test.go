package mlflowgateway

import (
	"bytes"
	"go/ast"
	"go/doc"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"regexp"
	"strings"
	"testing"
)

// TestHeaderIsThatOfTheLibrary: the package has a copy, because `go mod vendor` takes nothing from outside of it.
func TestHeaderIsThatOfTheLibrary(t *testing.T) {
	copied, err := os.ReadFile("mlflow_ai_gateway.h")
	if err != nil {
		t.Fatal(err)
	}
	header, err := os.ReadFile("../../include/mlflow_ai_gateway.h")
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(copied, header) {
		t.Error("copy include/mlflow_ai_gateway.h to bindings/go")
	}
}

// TestReadmeNamesEveryFunctionOfC also fails for a function that the library has got since.
func TestReadmeNamesEveryFunctionOfC(t *testing.T) {
	readme, err := os.ReadFile("README.md")
	if err != nil {
		t.Fatal(err)
	}
	header, err := os.ReadFile("mlflow_ai_gateway.h")
	if err != nil {
		t.Fatal(err)
	}
	declarations := regexp.MustCompile(`(?m)^(?:\w[\w *]*)?\b(mlflow_gateway_\w+)\(`).FindAllStringSubmatch(string(header), -1)
	if len(declarations) < 140 {
		t.Fatal("the header has only ", len(declarations), " functions")
	}
	for _, declaration := range declarations {
		if !bytes.Contains(readme, []byte("`"+declaration[1]+"`")) {
			t.Errorf("README.md does not say what %s is in Go", declaration[1])
		}
	}
}

func TestExampleOfTheReadmeIsTheMinimalOne(t *testing.T) {
	readme, err := os.ReadFile("README.md")
	if err != nil {
		t.Fatal(err)
	}
	minimal, err := os.ReadFile("examples/minimal/main.go")
	if err != nil {
		t.Fatal(err)
	}
	_, program, _ := bytes.Cut(minimal, []byte("package main"))
	if !bytes.Contains(readme, program) {
		t.Error("the program of README.md is not examples/minimal")
	}
}

func TestEveryExportedNameHasADocComment(t *testing.T) {
	files := token.NewFileSet()
	packages, err := parser.ParseDir(files, ".", func(file fs.FileInfo) bool {
		return !strings.HasSuffix(file.Name(), "_test.go")
	}, parser.ParseComments)
	if err != nil {
		t.Fatal(err)
	}
	documented := doc.New(packages["mlflowgateway"], "mlflowgateway", 0)
	names := 0
	check := func(name, comment string) {
		names++
		if strings.TrimSpace(comment) == "" {
			t.Errorf("%s has no doc comment", name)
		}
	}
	check("the package", documented.Doc)
	functions := func(functions []*doc.Func) {
		for _, function := range functions {
			check(function.Name, function.Doc)
		}
	}
	values := func(values []*doc.Value) {
		for _, value := range values {
			for _, spec := range value.Decl.Specs {
				spec := spec.(*ast.ValueSpec)
				for _, name := range spec.Names {
					check(name.Name, spec.Doc.Text()+value.Doc)
				}
			}
		}
	}
	functions(documented.Funcs)
	values(documented.Consts)
	values(documented.Vars)
	for _, named := range documented.Types {
		check(named.Name, named.Doc)
		functions(named.Funcs)
		functions(named.Methods)
		values(named.Consts)
		values(named.Vars)
		structure, ok := named.Decl.Specs[0].(*ast.TypeSpec).Type.(*ast.StructType)
		if !ok {
			continue
		}
		for _, field := range structure.Fields.List {
			for _, name := range field.Names {
				if name.IsExported() {
					check(named.Name+"."+name.Name, field.Doc.Text())
				}
			}
		}
	}
	if names < 150 {
		t.Errorf("found only %d names", names)
	}
}
