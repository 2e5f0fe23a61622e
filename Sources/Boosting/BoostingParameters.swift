public import EnsembleModel

/// Hyper-parameters of the combiner, in LightGBM's words.
///
/// Besides these every fit has: objective multiclass, `boost_from_average`, `deterministic`, `force_row_wise`, no
/// `feature_pre_filter`, and no `enable_bundle`: bundling looks at all columns at once, so a data set grown by columns
/// would be bundled differently from one built at once, and with more than 10,000 rows bundles may even mix rows up.
public struct BoostingParameters: Hashable, Sendable {
    /// Boosting rounds; each adds one tree a class.
    public var rounds = 60
    /// Factor of each tree's contribution.
    public var learningRate = 0.1
    /// Most leaves of a tree.
    public var leaves = 7
    /// Fewest training rows in a leaf.
    public var minDataInLeaf = 40
    /// Smallest sum of the loss's second derivatives in a leaf.
    public var minSumHessianInLeaf = 1e-3
    /// L2 penalty on leaf values.
    public var lambdaL2 = 5.0
    /// Most bins of a column.
    public var maxBin = 63
    /// Fewest training rows in a bin.
    public var minDataInBin = 3
    /// Share of the columns that each tree may split on.
    public var featureFraction = 1.0
    /// Share of the rows that each round sees.
    public var baggingFraction = 1.0
    /// Rows are drawn anew every so many rounds; 0 never draws.
    public var baggingFrequency = 0
    /// Seed of all draws.
    public var seed = 7

    /// The hyper-parameters of preset `standard`.
    public init() {}

    /// 60 rounds, learning rate 0.1, 7 leaves.
    public static let standard = BoostingParameters()

    /// 100 rounds, learning rate 0.05, 4 leaves, half of the columns a tree and 70 % of the rows a round.
    public static let small = {
        var parameters = BoostingParameters()
        parameters.rounds = 100
        parameters.learningRate = 0.05
        parameters.leaves = 4
        parameters.minDataInLeaf = 60
        parameters.featureFraction = 0.5
        parameters.baggingFraction = 0.7
        parameters.baggingFrequency = 1
        return parameters
    }()

    /// The hyper-parameters of a preset; none for `auto`, which is a choice between presets.
    public static func preset(_ preset: Policy.Preset) -> BoostingParameters? {
        switch preset {
        case .auto: nil
        case .standard: .standard
        case .small: .small
        }
    }

    /// The parameter string of LightGBM. More than one thread a fit may change the last bits of sums.
    func text(classCount: Int) -> String {
        """
        objective=multiclass num_class=\(classCount) num_iterations=\(rounds) learning_rate=\(learningRate) \
        num_leaves=\(leaves) min_data_in_leaf=\(minDataInLeaf) min_sum_hessian_in_leaf=\(minSumHessianInLeaf) \
        lambda_l2=\(lambdaL2) max_bin=\(maxBin) min_data_in_bin=\(minDataInBin) feature_fraction=\(featureFraction) \
        bagging_fraction=\(baggingFraction) bagging_freq=\(baggingFrequency) seed=\(seed) num_threads=1 \
        boost_from_average=true deterministic=true force_row_wise=true feature_pre_filter=false enable_bundle=false \
        verbosity=-1
        """
    }
}
