# frozen_string_literal: true

# Compares sentences by the cosine similarity of their embeddings.

require_relative "program"

description = "Create embeddings of two or more sentences and print a table of their cosine\nsimilarities: 1 for the " \
              "same meaning, 0 for unrelated sentences."
options, sentences = Program.options("SENTENCE SENTENCE...", description, route: "embeddings") { nil }
Program.usage("at least two sentences are needed") if sentences.size < 2

def product(one, other)
  one.zip(other).sum { |a, b| a * b }
end

Program.run do
  client = MlflowGateway::Client.new(route: options[:route], uri: options[:uri])
  unit = client.embed(sentences).map do |embedding|
    length = Math.sqrt(product(embedding, embedding))
    embedding.map { |number| number / length }
  end
  puts "    #{(1..unit.size).map { |column| format('%7d', column) }.join}"
  unit.each_with_index do |one, row|
    cells = unit.map { |other| format("%7.3f", product(one, other)) }
    puts "#{format('%4d', row + 1)}#{cells.join}  #{sentences[row]}"
  end
end
