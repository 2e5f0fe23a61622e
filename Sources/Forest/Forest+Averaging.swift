extension Forest {
    /// Averages text models on the raw-score scale: one text model whose raw scores are the mean of theirs.
    ///
    /// All trees of all models stand one after another with what they add divided by the number of models, as
    /// LightGBM's own shrinkage does it. The rest of the text is kept, so that any LightGBM runtime loads the result.
    ///
    /// - Parameter texts: text models of one shape (classes, columns).
    /// - Returns: the text model.
    /// - Throws: ``ForestError`` for a text that is not usable, with code `mismatched` for texts that differ in shape.
    public static func averaged(lightGBMTexts texts: [[UInt8]]) throws(ForestError) -> [UInt8] {
        var (parsed, forests): ([LightGBMText], [Forest]) = ([], [])
        for bytes in texts {
            let text = try LightGBMText(bytes, limits: .accepted)
            forests.append(try Forest(text, limits: .accepted))
            parsed.append(text)
        }
        guard let first = parsed.first else { throw ForestError(.mismatched, "there are no text models to average") }
        for key in ["num_class", "max_feature_idx", "feature_names"] {
            for text in parsed where try text.header(key) != first.header(key) {
                throw ForestError(.mismatched, "text models that differ in \(key) have no average")
            }
        }
        var blocks: [[UInt8]] = []
        for (text, forest) in zip(parsed, forests) {
            for (fields, tree) in zip(text.trees, forest.trees) {
                blocks.append(try block(fields, of: tree, number: blocks.count, divisor: Double(texts.count)))
            }
        }
        let replaced = [
            "feature_infos": try featureRanges(parsed, count: forests[0].featureCount),
            "tree_sizes": blocks.map { String($0.count) }.joined(separator: " "),
        ]
        var output = Array("tree\n".utf8)
        for field in first.header.dropFirst() {
            output += replaced[field.key].map { "\(field.key)=\($0)\n".utf8.map(\.self) } ?? line(field)
        }
        output += "\n".utf8
        for block in blocks { output += block }
        output += "end of trees\n\nfeature_importances:\n".utf8
        output += try splitCounts(forests, names: first.header("feature_names"))
        let tail = String(decoding: first.tail, as: UTF8.self)
        if let parameters = tail.firstRange(of: "\nparameters:") { output += tail[parameters.lowerBound...].utf8 }
        return output
    }

    /// The text of one tree with what it adds divided.
    private static func block(
        _ fields: [LightGBMText.Field], of tree: Tree, number: Int, divisor: Double
    ) throws(ForestError) -> [UInt8] {
        var output = Array("Tree=\(number)\n".utf8)
        for field in fields {
            let count = ["leaf_value": tree.leafCount, "internal_value": tree.nodeCount, "shrinkage": 1][field.key]
            guard let count else {
                output += line(field)
                continue
            }
            // A double's description has the digits (up to 17) that read back as the same bits.
            let values = try LightGBMText.numbers(field.value, count: count, as: field.key, of: "tree \(number)")
            output += "\(field.key)=\(values.map { String($0 / divisor) }.joined(separator: " "))\n".utf8
        }
        return output + "\n\n".utf8
    }

    private static func line(_ field: LightGBMText.Field) -> [UInt8] {
        Array("\(field.key)=".utf8) + field.value + "\n".utf8
    }

    /// The range of each column over all models' training rows, as `feature_infos` writes it: `[low:high]`, or `none`
    /// for a column that does not vary.
    private static func featureRanges(_ texts: [LightGBMText], count: Int) throws(ForestError) -> String {
        var ranges = [(low: Double, high: Double)?](repeating: nil, count: count)
        for text in texts {
            let words = try LightGBMText.words(
                text.header("feature_infos"), count: count, as: "feature_infos", of: "the header")
            for (column, word) in words.enumerated() where !word.elementsEqual("none".utf8) {
                var ends: [Double] = []
                for end in word.dropFirst().dropLast().split(separator: UInt8(ascii: ":"), maxSplits: 2) {
                    ends += try LightGBMText.numbers(end, count: 1, as: "feature_infos", of: "the header")
                }
                guard word.first == UInt8(ascii: "["), word.last == UInt8(ascii: "]"), ends.count == 2 else {
                    throw ForestError(
                        .malformed, "feature_infos in the header does not give column \(column) as [low:high]")
                }
                let known = ranges[column]
                ranges[column] = (min(known?.low ?? ends[0], ends[0]), max(known?.high ?? ends[1], ends[1]))
            }
        }
        return ranges.map { range in range.map { "[\($0.low):\($0.high)]" } ?? "none" }.joined(separator: " ")
    }

    /// How often each column is split on, most often first: the section `feature_importances`.
    private static func splitCounts(
        _ forests: [Forest], names: ArraySlice<UInt8>
    ) throws(ForestError) -> [UInt8] {
        var counts = [Int](repeating: 0, count: forests[0].featureCount)
        let names = try LightGBMText.words(names, count: counts.count, as: "feature_names", of: "the header")
        for forest in forests {
            for tree in forest.trees {
                for feature in tree.splitFeatures { counts[feature] += 1 }
            }
        }
        let order = counts.indices.filter { counts[$0] > 0 }.sorted { (counts[$1], $0) < (counts[$0], $1) }
        return order.flatMap { names[$0] + "=\(counts[$0])\n".utf8 }
    }
}
