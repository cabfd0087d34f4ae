//go:build cgo

package mlflowgateway

import (
	"sync"
	"unsafe"
)

// resource is an object of C that several goroutines use. It is destroyed when it was closed and nothing uses it any
// more.
type resource struct {
	mutex    sync.Mutex
	object   unsafe.Pointer
	users    int
	isClosed bool
	destroy  func(unsafe.Pointer)
}

func newResource(object unsafe.Pointer, destroy func(unsafe.Pointer)) *resource {
	return &resource{object: object, destroy: destroy}
}

// acquire returns the object, which is not destroyed before release. It fails after close.
func (r *resource) acquire() (unsafe.Pointer, error) {
	r.mutex.Lock()
	defer r.mutex.Unlock()
	if r.isClosed {
		return nil, ErrClosed
	}
	r.users++
	return r.object, nil
}

func (r *resource) release() {
	r.mutex.Lock()
	r.users--
	isLast := r.isClosed && r.users == 0
	r.mutex.Unlock()
	if isLast {
		r.destroy(r.object)
	}
}

// close makes acquire fail. It returns false if the resource was closed already.
func (r *resource) close() bool {
	r.mutex.Lock()
	isFirst := !r.isClosed
	isLast := isFirst && r.users == 0
	r.isClosed = true
	r.mutex.Unlock()
	if isLast {
		r.destroy(r.object)
	}
	return isFirst
}
