"""RealBlur (Rim et al. 2020): pairs of real camera shake, captured through a beam splitter."""

from deblur_jax.data.builders.manual import ExampleFiles, ManualBuilder


class RealBlur(ManualBuilder):
    """Aligned pairs; the variant "J" is the camera's JPEG, "R" is converted from raw files."""

    VARIANTS: tuple[str, ...] = ("J", "R")
    HOME: str = "https://cg.postech.ac.kr/research/realblur/"
    LAYOUT: str = (
        "RealBlur.tar.gz, unpacked, so that this folder holds RealBlur_J_train_list.txt, "
        "RealBlur_J_test_list.txt, the same of R, and the folders that they name, "
        "RealBlur-J_ECC_IMCORR_centroid_itensity_ref and RealBlur-R_BM3D_ECC_IMCORR_"
        "centroid_itensity_ref"
    )

    def find(self) -> dict[str, list[ExampleFiles]]:
        """Returns the pairs of the list files, whose lines name a sharp and a blurry file."""
        splits: dict[str, list[ExampleFiles]] = {"train": [], "test": []}
        for split, examples in splits.items():
            path = self.source / f"RealBlur_{self.variant}_{split}_list.txt"
            lines = path.read_text().splitlines() if path.is_file() else []
            for number, line in enumerate(lines, start=1):
                words = line.split()
                if len(words) < 2:
                    if words:
                        self.problems.append(
                            f"{path}: line {number} must name a sharp and a blurry file"
                        )
                    continue
                sharp, blurry = (self.source / word for word in words[:2])
                name = f"{blurry.parent.parent.name}/{blurry.stem}"
                examples.append(ExampleFiles(name, {"blurry": blurry, "sharp": sharp}))
        return splits
