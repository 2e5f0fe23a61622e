import RegistryTesting

/// A small text model that can be damaged: lines of a header and of trees, put together with the right `tree_sizes`.
struct TextModel {
    var header = [
        "tree", "version=v4", "num_class=2", "num_tree_per_iteration=2", "label_index=0", "max_feature_idx=2",
        "objective=multiclass num_class:2", "feature_names=a b c", "feature_infos=[0:1] [0.1:0.9] none",
    ]
    var trees = [
        [
            "num_leaves=4", "num_cat=0", "split_feature=0 1 0", "split_gain=3 2 1", "threshold=0.5 0.25 0.75",
            "decision_type=2 8 10",
            "left_child=1 -1 -2", "right_child=2 -3 -4", "leaf_value=0.1 -0.2 0.3 -0.4", "leaf_weight=1 1 1 1",
            "leaf_count=10 20 30 40", "internal_value=0 0.1 0.2", "internal_weight=0 1 1", "internal_count=100 40 60",
            "is_linear=0", "shrinkage=1",
        ],
        [
            "num_leaves=1", "num_cat=0", "split_feature=", "split_gain=", "threshold=", "decision_type=", "left_child=",
            "right_child=", "leaf_value=-1.5", "leaf_weight=", "leaf_count=100", "internal_value=", "internal_weight=",
            "internal_count=", "is_linear=0", "shrinkage=1",
        ],
    ]

    var text: String {
        let blocks = trees.enumerated().map { "Tree=\($0)\n" + $1.joined(separator: "\n") + "\n\n\n" }
        let sizes = "tree_sizes=" + blocks.map { String($0.utf8.count) }.joined(separator: " ")
        return (header + [sizes]).joined(separator: "\n") + "\n\n" + blocks.joined()
            + "end of trees\n\nfeature_importances:\na=2\nb=1\n\nparameters:\n[boosting: gbdt]\nend of parameters\n"
    }

    /// Takes a text of LightGBM apart.
    init(_ text: String) {
        let body = text.components(before: "end of trees\n")
        let blocks = body.split(separator: "Tree=", omittingEmptySubsequences: true)
        header = blocks[0].split(separator: "\n").map(String.init).filter { !$0.hasPrefix("tree_sizes=") }
        trees = blocks.dropFirst().map { block in block.split(separator: "\n").dropFirst().map(String.init) }
    }

    init() {}

    /// Replaces the line of a key in the header.
    func replacing(_ key: String, _ line: String?) -> TextModel {
        var model = self
        model.header = header.compactMap { $0.hasPrefix(key + "=") ? line : $0 }
        return model
    }

    /// Replaces the line of a key in the first tree.
    func replacingInTree(_ key: String, _ line: String?) -> TextModel {
        var model = self
        model.trees[0] = trees[0].compactMap { $0.hasPrefix(key + "=") ? line : $0 }
        return model
    }
}

extension String {
    fileprivate func components(before separator: String) -> Substring {
        firstRange(of: separator).map { self[..<$0.lowerBound] } ?? self[...]
    }
}
