//go:build cgo && go1.24

package mlflowgateway

import "runtime"

// closeWhenUnreachable closes what an object owns if the program has lost the object without closing it.
func closeWhenUnreachable[T any, S any](object *T, owned S, close func(S)) {
	runtime.AddCleanup(object, func(owned S) { go close(owned) }, owned)
}
