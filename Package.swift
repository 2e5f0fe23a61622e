// swift-tools-version:6.2
import PackageDescription

let settings: [SwiftSetting] = [
    .swiftLanguageMode(.v6),
    .enableUpcomingFeature("ExistentialAny"),
    .enableUpcomingFeature("MemberImportVisibility"),
    .enableUpcomingFeature("InternalImportsByDefault"),
    .treatAllWarnings(as: .error),
]

extension Target.Dependency {
    static let argumentParser = Self.product(name: "ArgumentParser", package: "swift-argument-parser")
    static let asyncHTTPClient = Self.product(name: "AsyncHTTPClient", package: "async-http-client")
    static let crypto = Self.product(name: "Crypto", package: "swift-crypto")
    static let cryptoExtras = Self.product(name: "CryptoExtras", package: "swift-crypto")
    static let deque = Self.product(name: "DequeModule", package: "swift-collections")
    static let httpTypes = Self.product(name: "HTTPTypes", package: "swift-http-types")
    static let hummingbird = Self.product(name: "Hummingbird", package: "hummingbird")
    static let hummingbirdCore = Self.product(name: "HummingbirdCore", package: "hummingbird")
    static let hummingbirdTesting = Self.product(name: "HummingbirdTesting", package: "hummingbird")
    static let logging = Self.product(name: "Logging", package: "swift-log")
    static let mustache = Self.product(name: "Mustache", package: "swift-mustache")
    static let nioCore = Self.product(name: "NIOCore", package: "swift-nio")
    static let nioEmbedded = Self.product(name: "NIOEmbedded", package: "swift-nio")
    static let nioFoundationCompat = Self.product(name: "NIOFoundationCompat", package: "swift-nio")
    static let nioHTTP1 = Self.product(name: "NIOHTTP1", package: "swift-nio")
    static let nioHTTPTypes = Self.product(name: "NIOHTTPTypes", package: "swift-nio-extras")
    static let nioHTTPTypesHTTP1 = Self.product(name: "NIOHTTPTypesHTTP1", package: "swift-nio-extras")
    static let nioPosix = Self.product(name: "NIOPosix", package: "swift-nio")
    static let serviceLifecycle = Self.product(name: "ServiceLifecycle", package: "swift-service-lifecycle")
    static let unixSignals = Self.product(name: "UnixSignals", package: "swift-service-lifecycle")
    static let yams = Self.product(name: "Yams", package: "Yams")
}

func library(_ name: String, _ dependencies: [Target.Dependency] = [], exclude: [String] = []) -> Target {
    .target(name: name, dependencies: dependencies, exclude: exclude, swiftSettings: settings)
}

func program(_ name: String, _ dependencies: [Target.Dependency]) -> Target {
    .executableTarget(name: name, dependencies: dependencies, swiftSettings: settings)
}

func tests(_ name: String, _ dependencies: [Target.Dependency], exclude: [String] = []) -> Target {
    .testTarget(name: name, dependencies: dependencies, exclude: exclude, swiftSettings: settings)
}

let package = Package(
    name: "ensemble-registry",
    platforms: [.macOS(.v15)],
    products: [
        .executable(name: "registryd", targets: ["registryd"]),
        .executable(name: "registry", targets: ["registry"]),
        .executable(name: "registry-node", targets: ["registry-node"]),
        .executable(name: "evaluation-benchmark", targets: ["evaluation-benchmark"]),
        .executable(name: "forest-fuzz", targets: ["forest-fuzz"]),
        .executable(name: "scoring-benchmark", targets: ["scoring-benchmark"]),
        .executable(name: "serving-benchmark", targets: ["serving-benchmark"]),
        .executable(name: "shapley-benchmark", targets: ["shapley-benchmark"]),
        .executable(name: "fleet-benchmark", targets: ["fleet-benchmark"]),
    ],
    dependencies: [
        .package(url: "https://github.com/apple/swift-argument-parser", from: "1.8.2"),
        .package(url: "https://github.com/apple/swift-collections", from: "1.6.0"),
        .package(url: "https://github.com/apple/swift-crypto", from: "4.5.2"),
        .package(url: "https://github.com/apple/swift-http-types", from: "1.8.0"),
        .package(url: "https://github.com/apple/swift-log", from: "1.16.2"),
        .package(url: "https://github.com/apple/swift-nio", from: "2.101.2"),
        .package(url: "https://github.com/apple/swift-nio-extras", from: "1.35.2"),
        .package(url: "https://github.com/hummingbird-project/hummingbird", from: "2.28.1"),
        .package(url: "https://github.com/hummingbird-project/swift-mustache", from: "2.1.1"),
        .package(url: "https://github.com/jpsim/Yams", from: "6.2.2"),
        .package(url: "https://github.com/swift-server/async-http-client", from: "1.37.0"),
        .package(url: "https://github.com/swift-server/swift-service-lifecycle", from: "2.13.0"),
    ],
    targets: [
        // Domain values and the mathematics: no I/O, no clock.
        library("EnsembleModel", [.crypto]),
        .target(name: "CForestKernels"),
        library("Forest", ["CForestKernels", "EnsembleModel"]),
        library("Shapley", ["CForestKernels", "EnsembleModel", "Forest"]),
        .target(name: "CLightGBM", linkerSettings: [.linkedLibrary("dl", .when(platforms: [.linux]))]),
        library("Boosting", ["CLightGBM", "EnsembleModel", "Forest"]),
        library("Evaluation", ["Boosting", "EnsembleModel", "Forest", "Shapley"]),
        library("Simulation", ["EnsembleModel", "Evaluation"]),

        // The Update Framework: roles, keys, the publisher's side and the client workflow, without I/O or clock.
        library("Trust", ["EnsembleModel", .crypto, .cryptoExtras]),
        library("KeyFiles", ["Trust"]),

        // Storage.
        .systemLibrary(name: "CLibpq", pkgConfig: "libpq", providers: [.apt(["libpq-dev"])]),
        .systemLibrary(name: "CZlib", pkgConfig: "zlib", providers: [.apt(["zlib1g-dev"])]),
        library("Postgres", ["CLibpq", .deque, .logging, .serviceLifecycle]),
        library("PostgresCluster", [.logging]),
        library("RegistryStore", ["EnsembleModel", "Postgres", .logging]),

        // The streaming check of uploads: bytes in, blocks of probabilities out, in bounded memory.
        library("Ingest", ["CZlib", "EnsembleModel"]),

        // Wire types and their client.
        library("RegistryAPI", ["EnsembleModel"]),
        library(
            "RegistryClient",
            [
                "EnsembleModel", "RegistryAPI",
                .asyncHTTPClient, .logging, .nioCore, .nioFoundationCompat, .nioHTTP1, .nioPosix,
            ]),

        // What the two servers share of their connections.
        library("HTTPServing", [.httpTypes, .nioCore, .nioHTTPTypes]),

        // The three programs' libraries.
        library(
            "RegistryWorker",
            [
                "Boosting", "EnsembleModel", "Evaluation", "Postgres", "RegistryStore", .logging, .serviceLifecycle,
                .unixSignals,
            ]),
        library(
            "RegistryServer",
            [
                "EnsembleModel", "HTTPServing", "Ingest", "KeyFiles", "Postgres", "PostgresCluster", "RegistryAPI",
                "RegistryStore", "Trust",
                .httpTypes, .hummingbird, .hummingbirdCore, .logging, .mustache, .nioCore, .nioFoundationCompat,
                .nioHTTP1, .nioHTTPTypes, .nioHTTPTypesHTTP1, .nioPosix, .serviceLifecycle, .unixSignals,
            ],
            exclude: ["openapi.yaml"]),
        library(
            "RegistryCommands",
            [
                "CZlib", "EnsembleModel", "Ingest", "KeyFiles", "RegistryAPI", "RegistryClient", "Simulation", "Trust",
                .argumentParser, .nioCore, .yams,
            ]),
        library(
            "ServingNode",
            [
                "EnsembleModel", "Forest", "HTTPServing", "RegistryAPI", "RegistryClient", "Trust",
                .asyncHTTPClient, .deque, .httpTypes, .hummingbird, .hummingbirdCore, .logging, .nioCore,
                .nioFoundationCompat, .nioHTTP1, .serviceLifecycle, .unixSignals,
            ]),
        library("DaemonProgram", [.argumentParser]),
        program(
            "registryd",
            [
                "DaemonProgram", "EnsembleModel", "RegistryServer", "RegistryWorker",
                .argumentParser, .logging, .serviceLifecycle,
            ]),
        program("registry", ["RegistryCommands"]),
        program("evaluation-benchmark", ["Boosting", "EnsembleModel", "Evaluation"]),
        program("forest-fuzz", ["Forest", "Shapley"]),
        program("scoring-benchmark", ["Forest"]),
        program("serving-benchmark", [.hummingbird, .logging, .nioCore]),
        program("shapley-benchmark", ["Forest", "Shapley"]),
        program("fleet-benchmark", [.nioCore, .nioPosix]),
        program("registry-node", ["DaemonProgram", "ServingNode", .argumentParser, .logging]),

        // Tests.
        library("RegistryTesting", ["EnsembleModel", "Postgres", "PostgresCluster", .logging], exclude: ["Python"]),
        tests("EnsembleModelTests", ["EnsembleModel"]),
        tests("ForestTests", ["Boosting", "Forest", "RegistryTesting"]),
        tests("ShapleyTests", ["Boosting", "CForestKernels", "Shapley", "RegistryTesting"]),
        tests("BoostingTests", ["Boosting", "RegistryTesting"]),
        tests("IngestTests", ["CZlib", "Ingest", "RegistryTesting"]),
        tests("EvaluationTests", ["Evaluation", "RegistryTesting"]),
        tests("SimulationTests", ["EnsembleModel", "Simulation"]),
        tests("TrustTests", ["EnsembleModel", "Trust", "RegistryTesting"], exclude: ["Golden"]),
        tests("PostgresTests", ["Postgres", "RegistryTesting"]),
        tests("PostgresClusterTests", ["PostgresCluster", "RegistryTesting"]),
        tests("RegistryStoreTests", ["EnsembleModel", "Postgres", "RegistryStore", "RegistryTesting", .logging]),
        tests(
            "RegistryServerTests",
            [
                "Boosting", "EnsembleModel", "Forest", "Postgres", "RegistryAPI", "RegistryServer", "RegistryStore",
                "RegistryTesting", "RegistryWorker", "Trust",
                .httpTypes, .hummingbird, .hummingbirdTesting, .logging, .nioCore, .nioEmbedded,
                .nioFoundationCompat, .nioHTTPTypes, .yams,
            ]),
        tests(
            "RegistryCommandsTests",
            [
                "EnsembleModel", "KeyFiles", "RegistryAPI", "RegistryClient", "RegistryCommands", "Simulation", "Trust",
                .argumentParser, .httpTypes, .hummingbird, .logging, .nioCore,
            ],
            exclude: ["DecisionTexts", "Snapshots"]),
        tests(
            "ServingNodeTests",
            [
                "Boosting", "EnsembleModel", "Evaluation", "Forest", "RegistryAPI", "RegistryClient", "RegistryTesting",
                "ServingNode", "Trust", "registry-node",
                .asyncHTTPClient, .hummingbirdTesting, .logging,
            ],
            exclude: ["Python"]),
        tests(
            "SystemTests",
            [
                "EnsembleModel", "Forest", "RegistryAPI", "RegistryTesting", "Trust", "registry", "registry-node",
                "registryd",
                .asyncHTTPClient, .nioCore, .nioFoundationCompat, .nioHTTP1,
            ], exclude: ["Python"]),
        tests("RepositoryTests", []),
    ]
)
