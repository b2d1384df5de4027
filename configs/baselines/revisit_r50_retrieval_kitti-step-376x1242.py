r"""Retrieval on KITTI-STEP by "Revisit" with ResNet-50: no tuning.

Paper:    "Unsupervised Hierarchical Semantic Segmentation with Multiview
          Cosegmentation and Clustering Transformers", CVPR 2022 (arXiv
          2204.11432): table `hsg`, row Revisit, column KITTI-STEP.
Command:  bash tools/dist_test.sh \
              configs/baselines/revisit_r50_retrieval_kitti-step-376x1242.py \
              CHECKPOINT 8
Hardware: any number of GPUs; the result is the same.
Data:     data/kitti_step in the layout of the release; the memory bank from
          the training sequences, the test on those of validation.
Weights:  a ResNet-50 that the authors of "Revisiting Contrastive Methods for
          Unsupervised Learning of Visual Representations" (Van Gansbeke et
          al., NeurIPS 2021, arXiv 2106.05967) publish, as it is.
Status:   runs - fills the bank and tests on small generated data in
          KITTI-STEP's layout; not yet run on KITTI-STEP here.

Nothing in the file is executed, and the ResNet is found under any prefix
(torchvision's names, MoCo's `encoder_q.`). Otherwise identical to
`moco_r50_retrieval_kitti-step-376x1242.py`.
"""

_base_ = ['moco_r50_retrieval_kitti-step-376x1242.py']
