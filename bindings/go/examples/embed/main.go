// Embed compares sentences by the cosine similarity of their embeddings.
package main

import (
	"context"
	"flag"
	"fmt"
	"log"
	"math"

	mlflowgateway "mlflow-ai-gateway/bindings/go"
)

func main() {
	log.SetFlags(0)
	log.SetPrefix("embed: ")
	uri := flag.String("u", "", "gateway `URI`; default: $MLFLOW_GATEWAY_URI")
	route := flag.String("r", "embeddings", "`route` (endpoint)")
	flag.Parse()
	sentences := flag.Args()
	if len(sentences) < 2 {
		log.Fatal("usage: embed [-u URI] [-r ROUTE] SENTENCE SENTENCE...")
	}
	client, err := mlflowgateway.New(*route, *uri)
	if err != nil {
		log.Fatal(err)
	}
	defer client.Close()
	embeddings, err := client.Embed(context.Background(), &mlflowgateway.Request{Inputs: sentences})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Print("    ")
	for column := range sentences {
		fmt.Printf("%7d", column+1)
	}
	fmt.Println()
	for row, sentence := range sentences {
		fmt.Printf("%4d", row+1)
		for column := range sentences {
			fmt.Printf("%7.3f", cosine(embeddings.At(row), embeddings.At(column)))
		}
		fmt.Printf("  %s\n", sentence)
	}
}

// cosine returns the cosine of the angle between two embeddings, or 0 if one of them has length 0.
func cosine(a, b []float32) float64 {
	var product, squareA, squareB float64
	for i := range a {
		x, y := float64(a[i]), float64(b[i])
		product += x * y
		squareA += x * x
		squareB += y * y
	}
	if squareA == 0 || squareB == 0 {
		return 0
	}
	return product / math.Sqrt(squareA*squareB)
}
