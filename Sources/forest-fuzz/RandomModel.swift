import Foundation

/// Reproducible draws (SplitMix64).
struct Draws: RandomNumberGenerator {
    var state: UInt64

    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var mixed = state
        mixed = (mixed ^ (mixed >> 30)) &* 0xBF58_476D_1CE4_E5B9
        mixed = (mixed ^ (mixed >> 27)) &* 0x94D0_49BB_1331_11EB
        return mixed ^ (mixed >> 31)
    }

    mutating func integer(_ range: ClosedRange<Int>) -> Int { .random(in: range, using: &self) }
    mutating func chance(_ oneIn: Int) -> Bool { integer(1...oneIn) == 1 }
}

/// A LightGBM text model that no training would give, and rows to go with it.
struct RandomModel {
    let text: [UInt8]
    let classCount: Int
    let columnCount: Int
    private static let special: [Double] = [
        .nan, 0, -0.0, 1e-35, -1e-35, 1e-36, .infinity, -.infinity, .leastNonzeroMagnitude, .greatestFiniteMagnitude,
    ]

    init(_ draws: inout Draws) {
        classCount = draws.integer(2...4)
        columnCount = draws.chance(10) ? draws.integer(1...300) : draws.integer(1...8)
        let sizes = (0..<classCount * draws.integer(1...6)).map { _ in
            draws.chance(20) ? draws.integer(1...600) : draws.integer(1...40)
        }
        let columnCount = columnCount
        let trees = sizes.enumerated().map { number, leaves in
            "Tree=\(number)\n" + Self.tree(leaves: leaves, columnCount: columnCount, &draws) + "\n\n\n"
        }
        let names = (0..<columnCount).map { "c\($0)" }.joined(separator: " ")
        let infos = [String](repeating: "[-3:3]", count: columnCount).joined(separator: " ")
        let header = """
            tree
            version=v4
            num_class=\(classCount)
            num_tree_per_iteration=\(classCount)
            label_index=0
            max_feature_idx=\(columnCount - 1)
            objective=multiclass num_class:\(classCount)
            feature_names=\(names)
            feature_infos=\(infos)
            tree_sizes=\(trees.map { "\($0.utf8.count)" }.joined(separator: " "))
            """
        let end = "end of trees\n\nfeature_importances:\n\nparameters:\n[boosting: gbdt]\nend of parameters\n"
        text = Array((header + "\n\n" + trees.joined() + end).utf8)
    }

    private static func tree(leaves: Int, columnCount: Int, _ draws: inout Draws) -> String {
        var (left, right): ([Int], [Int]) = ([], [])
        // The child that each leaf is; the newest are split more often, for depth.
        var places: [(node: Int, isLeft: Bool)?] = [nil]
        while places.count < leaves {
            let leaf = max(draws.integer(0...places.count - 1), draws.integer(0...places.count - 1))
            let node = left.count
            if let place = places[leaf] {
                if place.isLeft { left[place.node] = node } else { right[place.node] = node }
            }
            left.append(~leaf)
            right.append(~places.count)
            places[leaf] = (node, true)
            places.append((node, false))
        }
        let counts = (0..<leaves).map { _ in draws.integer(1...90) }
        var inner = [Int](repeating: 0, count: leaves - 1)
        for node in inner.indices.reversed() {
            for child in [left[node], right[node]] { inner[node] += child >= 0 ? inner[child] : counts[~child] }
        }
        func line(_ key: String, _ values: [some CustomStringConvertible]) -> String {
            "\(key)=\(values.map(\.description).joined(separator: " "))"
        }
        let thresholds = inner.map { _ in
            draws.chance(20) ? "inf" : draws.chance(10) ? "1e-35" : "\(Double(draws.integer(-20...20)) / 8)"
        }
        return [
            "num_leaves=\(leaves)", "num_cat=0",
            line("split_feature", inner.map { _ in draws.integer(0...columnCount - 1) }),
            line("split_gain", inner.map { _ in 1 }), line("threshold", thresholds),
            line("decision_type", inner.map { _ in draws.integer(0...5) * 2 }), line("left_child", left),
            line("right_child", right),
            line("leaf_value", counts.map { _ in Double(draws.integer(-1000...1000)) / 700 }),
            line("leaf_weight", counts.map { _ in 1 }), line("leaf_count", counts),
            line("internal_value", inner.map { _ in 0 }), line("internal_weight", inner.map { _ in 1 }),
            line("internal_count", inner), "is_linear=0", "shrinkage=1",
        ].joined(separator: "\n")
    }

    /// Values that are often a threshold, beside one, missing or zero.
    static func rows(_ count: Int, columnCount: Int, _ draws: inout Draws) -> [Double] {
        (0..<count * columnCount).map { _ in
            let threshold = Double(draws.integer(-20...20)) / 8
            switch draws.integer(0...5) {
            case 0: return special[draws.integer(0...special.count - 1)]
            case 1: return threshold.nextUp
            case 2: return threshold.nextDown
            case 3: return .random(in: -3...3, using: &draws)
            default: return threshold
            }
        }
    }

    /// The text with some of its bytes changed, left out, repeated or cut.
    func damaged(_ draws: inout Draws) -> [UInt8] {
        var bytes = text
        for _ in 0..<draws.integer(1...6) {
            let place = draws.integer(0...bytes.count - 1)
            let end = min(bytes.count, place + draws.integer(1...(draws.chance(4) ? 400 : 3)))
            switch draws.integer(0...6) {
            case 0: bytes.removeSubrange(place..<end)
            case 1: bytes.insert(contentsOf: bytes[place..<end], at: draws.integer(0...bytes.count))
            case 2:
                bytes.replaceSubrange(
                    place..<end, with: "-1 99999999999 nan 1e999 2147483647".utf8.prefix(draws.integer(1...35)))
            case 3 where draws.chance(8): bytes.removeSubrange(place...)
            case 4: bytes[place] = .random(in: 0...255, using: &draws)
            // Mostly what numbers are made of, so that many texts get past the first checks.
            default: bytes[place] = .random(in: 45...57, using: &draws)
            }
            if bytes.isEmpty { break }
        }
        return bytes
    }
}
