//go:build cgo

package mlflowgateway

// noCopy lets go vet report copies of what contains it.
type noCopy struct{}

// Lock has no effect.
func (*noCopy) Lock() {}

// Unlock has no effect.
func (*noCopy) Unlock() {}
