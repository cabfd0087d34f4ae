module bench_go_binding

go 1.19

require mlflow-ai-gateway/bindings/go v0.0.0

replace mlflow-ai-gateway/bindings/go => ../../bindings/go
