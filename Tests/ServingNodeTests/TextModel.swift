import EnsembleModel

/// Combiners that Python's lightgbm 4.7.0 trained on synthetic probabilities of three classes, without the tail that no
/// score depends on, and what its `predict` gives for three rows.
struct TextModel: Sendable {
    let members: Int
    let text: String
    /// Three rows of members x 3 probabilities, exact in 32 bits.
    let rows: [[Float]]
    /// Python's probabilities of these rows.
    let probabilities: [[Double]]
    /// Python's raw scores of these rows.
    let rawScores: [[Double]]

    var bytes: [UInt8] { Array(text.utf8) }
    var combiner: Combiner {
        Combiner(text: bytes, treeCount: 3, golden: GoldenRows(inputs: rows, rawScores: rawScores))
    }

    /// Two members.
    static let two = TextModel(
        members: 2,
        text: """
            tree
            version=v4
            num_class=3
            num_tree_per_iteration=3
            label_index=0
            max_feature_idx=5
            objective=multiclass num_class:3
            feature_names=Column_0 Column_1 Column_2 Column_3 Column_4 Column_5
            feature_infos=[0:1] [0:1] [0:1] [0:1] [0:1] [0:1]
            tree_sizes=454 448 454

            Tree=0
            num_leaves=3
            num_cat=0
            split_feature=3 0
            split_gain=56.3206 14.2797
            threshold=0.42017434537410742 0.26622013747692114
            decision_type=2 2
            left_child=-1 -2
            right_child=1 -3
            leaf_value=-1.4364112162277889 -0.97864254263289641 -0.22806465821444588
            leaf_weight=52.295832633972168 10.786015480756761 15.361900836229323
            leaf_count=160 33 47
            internal_value=-1.13683 -0.537678
            internal_weight=78.4437 26.1479
            internal_count=240 80
            is_linear=0
            shrinkage=1


            Tree=1
            num_leaves=3
            num_cat=0
            split_feature=4 1
            split_gain=71.4983 8.85333
            threshold=0.44194248318672186 0.44387967884540563
            decision_type=2 2
            left_child=1 -1
            right_child=-2 -3
            leaf_value=-1.5872043571644205 -0.41819823388380384 -1.1353942184910994
            leaf_weight=39.599165260791779 23.369999170303345 14.930832803249357
            leaf_count=122 72 46
            internal_value=-1.14991 -1.46349
            internal_weight=77.9 54.53
            internal_count=240 168
            is_linear=0
            shrinkage=1


            Tree=2
            num_leaves=3
            num_cat=0
            split_feature=5 2
            split_gain=63.7705 14.2111
            threshold=0.44342450797557836 0.23189629614353183
            decision_type=2 2
            left_child=-1 -2
            right_child=1 -3
            leaf_value=-1.3478150617785247 -0.99670062086232614 -0.23041707751143303
            leaf_weight=52.689373731613159 8.3193747997283953 22.184999465942383
            leaf_count=152 24 64
            internal_value=-1.01473 -0.439403
            internal_weight=83.1937 30.5044
            internal_count=240 88
            is_linear=0
            shrinkage=1


            end of trees

            """,
        rows: [
            [0.11182527, 0.8756668, 0.012507921, 0.18039042, 0.21576357, 0.603846],
            [0.004464485, 0.3235203, 0.6720152, 0.07332986, 0.77824074, 0.1484294],
            [0.05537629, 0.04313698, 0.90148675, 0.47005528, 0.40393823, 0.12600648],
        ],
        probabilities: [
            [0.25618099202023975, 0.34616003342931795, 0.3976589745504423],
            [0.2057239499946649, 0.5694939752963383, 0.22478207470899686],
            [0.4473394249510258, 0.24341208542914589, 0.3092484896198282],
        ],
        rawScores: [
            [-1.436411216227789, -1.1353942184910994, -0.9967006208623261],
            [-1.436411216227789, -0.41819823388380384, -1.3478150617785247],
            [-0.9786425426328964, -1.5872043571644205, -1.3478150617785247],
        ])

    /// Two members, other trees.
    static let otherTwo = TextModel(
        members: 2,
        text: """
            tree
            version=v4
            num_class=3
            num_tree_per_iteration=3
            label_index=0
            max_feature_idx=5
            objective=multiclass num_class:3
            feature_names=Column_0 Column_1 Column_2 Column_3 Column_4 Column_5
            feature_infos=[0:1] [0:1] [0:1] [0:1] [0:1] [0:1]
            tree_sizes=451 446 451

            Tree=0
            num_leaves=3
            num_cat=0
            split_feature=3 0
            split_gain=64.4091 17.5212
            threshold=0.53672742843627941 0.4651723057031632
            decision_type=2 2
            left_child=1 -1
            right_child=-2 -3
            leaf_value=-1.4555845463753141 -0.25580827242050119 -0.83464770283729683
            leaf_weight=47.508856058120728 19.003542423248291 14.931354761123655
            leaf_count=140 56 44
            internal_value=-1.0618 -1.3071
            internal_weight=81.4438 62.4402
            internal_count=240 184
            is_linear=0
            shrinkage=1


            Tree=1
            num_leaves=3
            num_cat=0
            split_feature=4 1
            split_gain=84.592 14.8744
            threshold=0.47799712419509893 0.42161926627159124
            decision_type=2 2
            left_child=1 -1
            right_child=-2 -3
            leaf_value=-1.6152223480434713 -0.35401337923023257 -0.94202946702423984
            leaf_weight=44.467915087938309 23.369999170303345 10.062082976102827
            leaf_count=137 72 31
            internal_value=-1.14991 -1.491
            internal_weight=77.9 54.53
            internal_count=240 168
            is_linear=0
            shrinkage=1


            Tree=2
            num_leaves=3
            num_cat=0
            split_feature=5 2
            split_gain=74.4306 15.8773
            threshold=0.3895097821950913 0.30101878941059118
            decision_type=2 2
            left_child=-1 -2
            right_child=1 -3
            leaf_value=-1.4520239930358203 -1.0707956423598539 -0.23614763536623606
            leaf_weight=50.97937536239624 7.7139844298362759 21.800390779972076
            leaf_count=152 23 65
            internal_value=-1.08619 -0.454294
            internal_weight=80.4938 29.5144
            internal_count=240 88
            is_linear=0
            shrinkage=1


            end of trees

            """,
        rows: [
            [0.11182527, 0.8756668, 0.012507921, 0.18039042, 0.21576357, 0.603846],
            [0.004464485, 0.3235203, 0.6720152, 0.07332986, 0.77824074, 0.1484294],
            [0.05537629, 0.04313698, 0.90148675, 0.47005528, 0.40393823, 0.12600648],
        ],
        probabilities: [
            [0.24151520275336194, 0.40362551371145655, 0.3548592835351815],
            [0.19950297104716597, 0.600282450830178, 0.200214578122656],
            [0.35013767891532177, 0.2984757362086884, 0.3513865848759898],
        ],
        rawScores: [
            [-1.455584546375314, -0.9420294670242398, -1.070795642359854],
            [-1.455584546375314, -0.35401337923023257, -1.4520239930358203],
            [-1.455584546375314, -1.6152223480434713, -1.4520239930358203],
        ])

    /// Three members.
    static let three = TextModel(
        members: 3,
        text: """
            tree
            version=v4
            num_class=3
            num_tree_per_iteration=3
            label_index=0
            max_feature_idx=8
            objective=multiclass num_class:3
            feature_names=Column_0 Column_1 Column_2 Column_3 Column_4 Column_5 Column_6 Column_7 Column_8
            feature_infos=[0:1] [0:1] [0:1] [0:1] [0:1] [0:1] [0:1] [0:1] [0:1]
            tree_sizes=447 453 452

            Tree=0
            num_leaves=3
            num_cat=0
            split_feature=6 3
            split_gain=103.762 10.0241
            threshold=0.50745111703872692 0.49064017832279211
            decision_type=2 2
            left_child=1 -1
            right_child=-2 -3
            leaf_value=-1.6064854078755952 -0.268433573025471 -0.94451404204308775
            leaf_weight=48.038331627845764 23.369999170303345 6.4916664361953726
            leaf_count=148 72 20
            internal_value=-1.14991 -1.52768
            internal_weight=77.9 54.53
            internal_count=240 168
            is_linear=0
            shrinkage=1


            Tree=1
            num_leaves=3
            num_cat=0
            split_feature=7 4
            split_gain=93.9762 9.73989
            threshold=0.45860542356967932 0.23206664621829989
            decision_type=2 2
            left_child=-1 -2
            right_child=1 -3
            leaf_value=-1.4682070085930383 -0.8439349236130822 -0.14822871945631499
            leaf_weight=53.662500381469727 6.7078125476837185 20.123437643051147
            leaf_count=160 20 60
            internal_value=-1.08619 -0.322155
            internal_weight=80.4938 26.8313
            internal_count=240 80
            is_linear=0
            shrinkage=1


            Tree=2
            num_leaves=3
            num_cat=0
            split_feature=8 5
            split_gain=102.68 14.5708
            threshold=0.32089127600193029 0.33591717481613165
            decision_type=2 2
            left_child=-1 -2
            right_child=1 -3
            leaf_value=-1.5201923817905221 -0.85841237153476058 -0.14327864888492836
            leaf_weight=48.866251945495605 10.519818127155302 22.057683169841766
            leaf_count=144 31 65
            internal_value=-1.0618 -0.374207
            internal_weight=81.4438 32.5775
            internal_count=240 96
            is_linear=0
            shrinkage=1


            end of trees

            """,
        rows: [
            [
                0.45048398, 0.21937348, 0.33014253, 0.4416099, 0.06836243, 0.49002767, 0.75451154, 0.055164803,
                0.19032365,
            ],
            [0.08081129, 0.5872653, 0.3319234, 0.14489554, 0.61410934, 0.24099511, 0.36385983, 0.6195821, 0.016558018],
            [
                0.10340279, 0.40260437, 0.49399284, 0.025052704, 0.036380094, 0.9385672, 0.022508735, 0.060631048,
                0.9168602,
            ],
        ],
        probabilities: [
            [0.6300150012609801, 0.1897998688262397, 0.18018512991278018],
            [0.15652918066739321, 0.6728343340606895, 0.17063648527191724],
            [0.15460526434928082, 0.17753248145282544, 0.6678622541978938],
        ],
        rawScores: [
            [-0.268433573025471, -1.4682070085930383, -1.520192381790522],
            [-1.6064854078755952, -0.148228719456315, -1.520192381790522],
            [-1.6064854078755952, -1.4682070085930383, -0.14327864888492836],
        ])
}
