import AsyncHTTPClient
public import EnsembleModel
import Foundation
import NIOCore
import NIOHTTP1
import RegistryAPI

/// The answer to a request for a manifest.
public enum ManifestAnswer: Hashable, Sendable {
    /// The caller's manifest is the newest.
    case notModified
    /// The manifest's canonical bytes as served, and what they say.
    case manifest(VerifiedManifest)
}

/// A manifest whose bytes have the digest they were announced with.
public struct VerifiedManifest: Hashable, Sendable {
    /// The canonical bytes, as served.
    public let bytes: [UInt8]
    /// SHA-256 of ``bytes``, from which the strong entity tag is made.
    public let digest: ContentDigest
    /// What the bytes say.
    public let manifest: Manifest
}

extension RegistryClient {
    private func newest(_ ensemble: String, ifNoneMatch: ContentDigest?) throws -> APIRequest {
        var request = APIRequest(path: APIPath.manifest(try checked(ensemble)))
        if let ifNoneMatch { request.headers = [("If-None-Match", "\"\(ifNoneMatch.hex)\"")] }
        return request
    }

    /// An ensemble's newest manifest, checked against its entity tag.
    ///
    /// - Parameter ifNoneMatch: digest of the manifest the caller has.
    /// - Throws: ``RegistryClientError`` with code `digestMismatch` when the bytes are not those announced.
    public func manifest(ensemble: String, ifNoneMatch: ContentDigest? = nil) async throws -> ManifestAnswer {
        try await perform(newest(ensemble, ifNoneMatch: ifNoneMatch)) { response in
            if response.status == .notModified { return .notModified }
            return .manifest(try await verified(response, ensemble: ensemble))
        }
    }

    /// The manifest of a number, checked against its entity tag.
    ///
    /// - Throws: ``RegistryClientError`` with code `digestMismatch` when the bytes are not those announced.
    public func manifest(ensemble: String, sequence: Int) async throws -> VerifiedManifest {
        try await perform(APIRequest(path: APIPath.manifest(checked(ensemble), sequence: sequence))) { response in
            let manifest = try await verified(response, ensemble: ensemble)
            guard manifest.manifest.sequence == sequence else {
                throw RegistryClientError(
                    .protocolViolation, "manifest \(manifest.manifest.sequence) came where \(sequence) was asked for")
            }
            return manifest
        }
    }

    /// A combiner's LightGBM text model, checked against its digest.
    ///
    /// - Parameter maximumBytes: longest text accepted; a manifest says how long its combiner is.
    /// - Throws: ``RegistryClientError`` with code `digestMismatch` when the text is another.
    public func combiner(_ digest: ContentDigest, maximumBytes: Int? = nil) async throws -> [UInt8] {
        try await perform(APIRequest(path: APIPath.combiner(digest))) { response in
            let text = Array(try await collect(response, upTo: maximumBytes).readableBytesView)
            guard ContentDigest.of(text) == digest else {
                throw RegistryClientError(.digestMismatch, "the combiner served as \(digest) is not it: do not use it")
            }
            return text
        }
    }

    private func verified(_ response: HTTPClientResponse, ensemble: String) async throws -> VerifiedManifest {
        guard response.status == .ok, let tag = response.headers.first(name: "ETag") else {
            throw RegistryClientError(.protocolViolation, "a manifest came without an entity tag")
        }
        let bytes = Array(try await collect(response).readableBytesView)
        let digest = ContentDigest.of(bytes)
        guard tag == "\"\(digest.hex)\"" else {
            throw RegistryClientError(
                .digestMismatch, "the manifest of \(ensemble) does not have the digest announced: do not use it")
        }
        do {
            let manifest = try APIJSON.decoder().decode(Manifest.self, from: Data(bytes))
            guard manifest.ensemble == ensemble else {
                throw RegistryClientError(
                    .protocolViolation, "the manifest of \(manifest.ensemble) came where \(ensemble)'s was asked for")
            }
            return VerifiedManifest(bytes: bytes, digest: digest, manifest: manifest)
        } catch let error as DecodingError {
            throw RegistryClientError(
                .protocolViolation, "the manifest of \(ensemble) could not be read: is it of another version?",
                cause: error)
        }
    }
}
