import Forest
import Foundation
import RegistryTesting
import Testing

struct ForestTextTests {
    @Test func fieldsAreThoseOfTheText() throws {
        let forest = try Forest(lightGBMText: TextModel().text)
        #expect(forest.classCount == 2 && forest.featureCount == 3 && forest.trees.count == 2)
        let tree = forest.trees[0]
        #expect(tree.splitFeatures == [0, 1, 0] && tree.thresholds == [0.5, 0.25, 0.75])
        #expect(tree.defaultsLeft == [true, false, true] && tree.missingRules == [.none, .nan, .nan])
        #expect(tree.leftChildren == [1, -1, -2] && tree.rightChildren == [2, -3, -4])
        #expect(tree.leafValues == [0.1, -0.2, 0.3, -0.4] && tree.leafCounts == [10, 20, 30, 40])
        #expect(tree.internalCounts == [100, 40, 60] && tree.nodeCount == 3 && tree.leafCount == 4)
        #expect(forest.trees[1].nodeCount == 0 && forest.trees[1].leafValues == [-1.5])
        #expect(
            forest.rawScores(rows: [0.5, 0.3, 9, 0.6, .nan, 0, .nan, .nan, 0]) == [0.3, -1.5, -0.2, -1.5, 0.3, -1.5])
    }

    @Test(arguments: [
        (TextModel().replacing("version", "version=v3"), "version 'v3'"),
        (TextModel().replacing("version", nil), "no version"),
        (TextModel().replacing("num_class", "num_class=1"), "num_class"),
        (TextModel().replacing("num_class", "num_class=2\nnum_class=2"), "more than one num_class"),
        (TextModel().replacing("num_class", "num_class=99999999999"), "num_class"),
        (TextModel().replacing("num_tree_per_iteration", "num_tree_per_iteration=1"), "num_tree_per_iteration"),
        (TextModel().replacing("objective", "objective=multiclassova num_class:2 sigmoid:1"), "objective"),
        (TextModel().replacing("objective", "objective=multiclass num_class:2\naverage_output"), "average_output"),
        (TextModel().replacing("max_feature_idx", "max_feature_idx=-1"), "max_feature_idx"),
        (TextModel().replacing("max_feature_idx", "max_feature_idx=3"), "feature_names"),
        (TextModel().replacing("feature_infos", "feature_infos=none none"), "feature_infos"),
        (TextModel().replacing("label_index", String(repeating: "a\n", count: 100)), "more than 64 lines"),
    ])
    func damagedHeadersAreErrors(model: TextModel, message: String) throws {
        let error = #expect(throws: ForestError.self) { try Forest(lightGBMText: model.text) }
        #expect(error?.message.contains(message) == true, "\(String(describing: error))")
    }

    @Test(arguments: [
        ("num_leaves", "num_leaves=0", "num_leaves is 0"),
        ("num_leaves", "num_leaves=5", "decision_type of tree 0 has 3 values, not 4"),
        ("num_leaves", nil, "no num_leaves"), ("num_cat", "num_cat=1", "categorical"),
        ("is_linear", "is_linear=1", "linear"),
        ("decision_type", "decision_type=2 1 10", "categorical"),
        ("decision_type", "decision_type=2 12 10", "decision_type 12"),
        ("decision_type", "decision_type=2 -2 10", "decision_type -2"),
        ("decision_type", "decision_type=2 8", "has 2 values"),
        ("split_feature", "split_feature=0 3 0", "3 columns"), ("split_feature", "split_feature=0 -1 0", "3 columns"),
        ("split_feature", "split_feature=0  1", "''"), ("split_feature", "split_feature=0 1.5 0", "'1.5'"),
        ("threshold", "threshold=0.5 nan 0.75", "'nan'"), ("threshold", "threshold=0.5 1e999 0.75", "'1e999'"),
        ("threshold", "threshold=0.5 0x1p3 0.75", "'0x1p3'"), ("threshold", nil, "no threshold"),
        ("leaf_value", "leaf_value=0.1 inf 0.3 -0.4", "'inf'"),
        ("leaf_value", "leaf_value=0.1 -0.2 0.3", "has 3 values, not 4"),
        ("left_child", "left_child=3 -1 -2", "no child 3"), ("right_child", "right_child=2 -3 -5", "no child -5"),
        ("right_child", "right_child=2 -3 -2147483648", "no child -2147483648"),
        ("left_child", "left_child=0 -1 -2", "ancestor"), ("left_child", "left_child=1 0 -2", "ancestor"),
        ("left_child", "left_child=2 -1 -2", "another node's child"),
        ("left_child", "left_child=1 -3 -2", "another node's child"),
        ("left_child", "left_child=-1 -2 -2", "node 0 counts 100 rows"),
        ("leaf_count", "leaf_count=10 21 30 40", "node 2 counts 60 rows"),
        ("leaf_count", "leaf_count=-10 20 50 40", "counts -10 rows"),
        ("internal_count", "internal_count=99 40 60", "node 0 counts 99 rows"),
        ("internal_count", nil, "no internal_count"),
    ])
    func damagedTreesAreErrors(key: String, line: String?, message: String) throws {
        let error = #expect(throws: ForestError.self) {
            try Forest(lightGBMText: TextModel().replacingInTree(key, line).text)
        }
        #expect(error?.message.contains(message) == true, "\(String(describing: error))")
        #expect(error?.message.contains("tree 0") == true, "\(String(describing: error))")
    }

    @Test func blocksMustHaveTheSizesAndNumbersThatTheHeaderSays() throws {
        let text = TextModel().text
        func refused(_ old: String, _ new: String) -> String? {
            #expect(text.contains(old))
            guard let range = text.firstRange(of: old) else { return nil }
            let error = #expect(throws: ForestError.self) {
                try Forest(lightGBMText: text.replacingCharacters(in: range, with: new))
            }
            return error?.message
        }
        #expect(refused("shrinkage=1\n", "shrinkage=1.0\n")?.contains("tree_sizes") == true)
        #expect(refused("Tree=1", "Tree=2")?.contains("tree 1 is missing") == true)
        #expect(refused("end of trees", "end of tree5")?.contains("cut off") == true)
        #expect(refused("tree\n", "three\n")?.contains("not a LightGBM text model") == true)
    }

    @Test func oneTreeTooFewIsAnError() throws {
        var model = TextModel()
        model.trees.removeLast()
        let error = #expect(throws: ForestError.self) { try Forest(lightGBMText: model.text) }
        #expect(error?.message.contains("1 trees are not whole rounds of 2 classes") == true)
    }

    @Test func limitsHold() throws {
        let text = TextModel().text
        func code(trees: Int = 2, nodes: Int = 3, bytes: Int = 100_000) -> ForestError.Code? {
            do throws(ForestError) {
                _ = try Forest(lightGBMText: text, limits: .init(trees: trees, nodes: nodes, bytes: bytes))
                return nil
            } catch { return error.code }
        }
        #expect(code() == nil)
        #expect(code(trees: 1) == .tooLarge)
        #expect(code(nodes: 2) == .tooLarge)
        #expect(code(bytes: 500) == .tooLarge)
    }

    @Test func everyTruncationIsAnErrorOrTheWholeForest() throws {
        let text = Array(TextModel().text.utf8)
        let whole = try Forest(lightGBMText: text)
        let lastLine = Array("end of trees\n".utf8)
        let end = try #require(text.firstRange(of: lastLine)?.upperBound)
        for length in 0..<text.count {
            if length < end {
                #expect(throws: ForestError.self, "cut at \(length)") { try Forest(lightGBMText: text.prefix(length)) }
            } else {
                #expect(try Forest(lightGBMText: text.prefix(length)) == whole)
            }
        }
    }

    @Test func mutatedTextsAreErrorsOrForestsThatScore() throws {
        let text = Array(TextModel().text.utf8)
        var random = SplitMix64(seed: 1)
        var readable = 0
        for _ in 0..<4000 {
            var mutated = text
            for _ in 0..<Int.random(in: 1...3, using: &random) {
                let place = Int.random(in: 0..<mutated.count, using: &random)
                // Mostly what numbers are made of, so that many texts get past the first checks.
                let range: ClosedRange<UInt8> = Bool.random(using: &random) ? 45...57 : 0...255
                mutated[place] = UInt8.random(in: range, using: &random)
            }
            do throws(ForestError) {
                let forest = try Forest(lightGBMText: mutated)
                readable += 1
                let row = [Double](repeating: 0.3, count: forest.featureCount)
                let scores = forest.rawScores(rows: row)
                #expect(scores.count == forest.classCount)
            } catch {
                #expect(!error.message.isEmpty)
            }
        }
        #expect(readable > 100)
    }
}
