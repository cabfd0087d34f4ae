package mlflowgateway

// #include "glue.h"
import "C"

import "unsafe"

// Embeddings has one embedding for each input, in the order of the inputs.
type Embeddings struct {
	// Data has all floats, contiguous.
	Data []float32
	// Dimension is the number of floats of each embedding.
	Dimension int
	// Model is the name of the model, if reported.
	Model string
	// Usage has the token counts.
	Usage Usage
}

// Len returns the number of embeddings.
func (e *Embeddings) Len() int {
	if e.Dimension == 0 {
		return 0
	}
	return len(e.Data) / e.Dimension
}

// At returns one embedding, a part of Data.
func (e *Embeddings) At(index int) []float32 {
	start := index * e.Dimension
	return e.Data[start : start+e.Dimension : start+e.Dimension]
}

// newEmbeddings copies embeddings of C, and destroys them.
func newEmbeddings(embeddings *C.mlflow_gateway_embeddings) *Embeddings {
	defer C.mlflow_gateway_embeddings_destroy(embeddings)
	dimension := int(C.mlflow_gateway_embeddings_dimension(embeddings))
	count := int(C.mlflow_gateway_embeddings_count(embeddings)) * dimension
	var tokens [C.MLFLOW_GO_COUNTS]C.int64_t
	for i := range tokens {
		tokens[i] = C.mlflow_gateway_embeddings_tokens(embeddings, C.int32_t(i+1))
	}
	floats := (*float32)(unsafe.Pointer(C.mlflow_gateway_embeddings_data(embeddings)))
	return &Embeddings{
		Data:      append(make([]float32, 0, count), unsafe.Slice(floats, count)...),
		Dimension: dimension,
		Model:     C.GoString(C.mlflow_gateway_embeddings_model(embeddings)),
		Usage:     newUsage(&tokens),
	}
}
