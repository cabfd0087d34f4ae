// Package mlflowgateway calls MLflow AI gateways, Databricks, and OpenAI-compatible servers: completions, chat,
// streaming, tool calls, embeddings.
//
//	client, err := mlflowgateway.New("completions", "http://127.0.0.1:5000", mlflowgateway.WithParam("max_tokens", 8))
//	if err != nil {
//		return err
//	}
//	defer client.Close()
//	text, err := client.Complete(ctx, "The capital of France is")
//
// It is an interface to the C library mlflow-ai-gateway, which must be installed. By default pkg-config finds it. The
// build tag mlflow_static links its archive. With the build tag mlflow_env, only CGO_CFLAGS and CGO_LDFLAGS apply.
//
// # Contexts
//
// A context ends its call at once, also while it connects, waits, streams or sleeps before a retry. The error then
// matches context.Canceled or context.DeadlineExceeded, and [ErrCancelled]. The option timeout_ms (5 minutes) limits each
// call, too, with [ErrTimeout]; see [WithTimeout].
//
// # Errors
//
// Errors of the library are of the type [*Error], and match one of the Err constants:
//
//	var failure *mlflowgateway.Error
//	if errors.Is(err, mlflowgateway.ErrRateLimited) && errors.As(err, &failure) {
//		time.Sleep(failure.RetryAfter)
//	}
//
// # Goroutines
//
// A [Client] and a [Queue] may be used by any number of goroutines at once. Each call that waits occupies one thread of
// the operating system, which Go keeps. Beyond 4096 at the same time, calls wait. With hundreds of calls at once, use a
// [Queue], whose calls wait without a thread of Go.
package mlflowgateway
